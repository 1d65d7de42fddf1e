// SPDX-License-Identifier: Apache-2.0

// Package unixsocket makes room for unix sockets: the file of one outlives the
// process that was killed, and stands in the way of the next.
package unixsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrServed says that there is a socket in use.
var ErrServed = errors.New("another process serves it")

// RemoveStale removes a socket that nobody listens to. Whatever else is at path, and a
// socket of which that is not certain, stays and is an error; nothing is none.
func RemoveStale(path string) error {
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
	if err == nil {
		return errors.Join(ErrServed, conn.Close()) // nothing was sent
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
