// SPDX-License-Identifier: Apache-2.0

// Package unixsocket removes stale Unix sockets. The file of a socket remains after its
// process was killed, and prevents the next process from binding.
package unixsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrServed is the error for a socket that a process listens to.
var ErrServed = errors.New("another process uses it; stop that process, or configure another path")

// RemoveStale removes a socket without a listener, if it exists. Anything else at path, and a
// socket that may have a listener, stays and is an error.
func RemoveStale(path string) error { return removeStale(path, false) }

// RemoveOwn is like RemoveStale for a path at which no other process can listen, because the
// caller holds the lock of all its listeners. There, a socket of another user to which this
// process may not connect is also stale.
func RemoveOwn(path string) error { return removeStale(path, true) }

func removeStale(path string, own bool) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("a file that is not a socket exists; remove it")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(ErrServed, conn.Close()) // nothing was sent
	case errors.Is(err, unix.ECONNREFUSED):
	case forbidden(err) && own:
	case forbidden(err):
		return fmt.Errorf("cannot connect to the socket of %s to check whether it is in use: %w; "+
			"remove the socket if it is not in use", owner(info), err)
	default:
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot remove the stale socket of %s: %w; remove it", owner(info), err)
	}
	return nil
}

// forbidden reports whether permissions or a security module prevented the connection.
func forbidden(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }

// owner returns a name of the owner of a file, for errors.
func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "an unknown user"
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
