// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// Passed are the descriptors that the service manager passes to a process, with their names
// (sd_listen_fds(3)). The process must close them; the manager has its own copies.
type Passed struct {
	Listening []*os.File // sockets that accept connections, of the unit's socket units
	Stored    []*os.File // others: an earlier process of the unit has stored them
}

// TakePassed returns the passed descriptors. Only the first call in a process returns them.
func TakePassed() (p Passed) {
	for _, f := range activation.Files(true) {
		if accepts(f) {
			p.Listening = append(p.Listening, f)
		} else {
			p.Stored = append(p.Stored, f)
		}
	}
	return p
}

// accepts reports whether f is a socket that accepts connections. It does not use f.Fd, which changes
// the mode of the descriptor, also for the manager's copy.
func accepts(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	value := 0
	cerr := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN) })
	return cerr == nil && err == nil && value == 1
}

// Store makes the manager store a copy of c's descriptor under name for the next process of
// the unit. The manager does not poll it, because a pending socket error must not remove it.
// Without a service manager Store does nothing.
func (n *Notifier) Store(name string, c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	cerr := raw.Control(func(fd uintptr) {
		err = n.message("FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0", unix.UnixRights(int(fd)))
	})
	if err := errors.Join(cerr, err); err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	return nil
}

// Forget makes the manager close the descriptors that it stores under name.
func (n *Notifier) Forget(name string) { n.send("FDSTOREREMOVE=1\nFDNAME=" + name) }
