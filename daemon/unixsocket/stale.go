// SPDX-License-Identifier: Apache-2.0

// Package unixsocket makes room for unix sockets: the file of one outlives the
// process that was killed, and stands in the way of the next.
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

// ErrServed says that there is a socket in use.
var ErrServed = errors.New("another process serves it; stop it, or write another path")

// RemoveStale removes a socket that nobody listens to. Whatever else is at path, and a
// socket of which that is not certain, stays and is an error; nothing is none.
func RemoveStale(path string) error { return removeStale(path, false) }

// RemoveOwn is RemoveStale for a path at which no other process can be listening: the
// caller holds a lock that every process takes before it listens there. A socket that
// another user left, and to which this one may not connect, is stale then.
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
		return errors.New("there is something that is no socket; remove it")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(ErrServed, conn.Close()) // nothing was sent
	case errors.Is(err, unix.ECONNREFUSED):
	case forbidden(err) && own:
	case forbidden(err):
		return fmt.Errorf("a socket of %s is there, and connecting to it, to see whether it is in use, fails: %w; remove it if it is not in use", owner(info), err)
	default:
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("a stale socket of %s is there: %w; remove it", owner(info), err)
	}
	return nil
}

// forbidden reports whether the permissions of the socket, or a security module, keep
// this process from connecting.
func forbidden(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }

// owner names the user that a file belongs to.
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
