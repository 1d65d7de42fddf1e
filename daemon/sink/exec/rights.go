// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// becomeUser sets the user's ids and groups, unless the program runs as the daemon's user.
func (l *launcher) becomeUser(attr *syscall.SysProcAttr) error {
	if l.config.User == "" {
		return nil
	}
	u, err := user.Lookup(l.config.User)
	if err != nil {
		return err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of the user %s: %w", l.config.User, err)
	}
	ids := make([]uint32, 0, len(groups)+2)
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("ids of the user %s: %w", l.config.User, err)
		}
		ids = append(ids, uint32(id))
	}
	if int(ids[0]) != os.Getuid() {
		attr.Credential = &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}
	}
	return nil
}

// apply sets the limits of a process that has been running for microseconds: package
// os/exec lacks a hook between fork and exec. The limits protect against accidents.
func (l Limits) apply(pid int) error {
	for _, limit := range []struct {
		name     string
		resource int
		value    int64
	}{
		{"memory", unix.RLIMIT_AS, int64(l.Memory)},
		{"cpu", unix.RLIMIT_CPU, int64(time.Duration(l.CPU) / time.Second)},
		{"files", unix.RLIMIT_NOFILE, int64(l.Files)},
		{"processes", unix.RLIMIT_NPROC, int64(l.Processes)},
	} {
		if limit.value <= 0 {
			continue
		}
		if err := lower(pid, limit.resource, uint64(limit.value)); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit the program's %s: %w", limit.name, err)
		}
	}
	return nil
}

// lower keeps a limit that is low enough: raising it requires a privilege.
func lower(pid, resource int, value uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return err
	}
	value = min(value, old.Max)
	return unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
}
