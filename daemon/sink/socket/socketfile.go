// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// listenAt creates a socket with its mode and group, and only then publishes its name, so
// that clients cannot connect before. It replaces only a socket without a listener.
func listenAt(path string, mode fs.FileMode, group string) (l *net.UnixListener, file fs.FileInfo, err error) {
	gid, err := groupID(group)
	if err != nil {
		return nil, nil, err
	}
	if err := unixsocket.RemoveStale(path); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".genltestd-") // with mode 0700
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir) // a socket of a failed attempt
	handle, err := os.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer handle.Close()
	// The name of a socket must be short; the name of the directory may be long.
	l, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/socket", handle.Fd())})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	if file, err = publish(filepath.Join(dir, "socket"), path, mode, gid); err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, file, nil
}

// publish does not replace a file: a file at path was created in the last moment.
func publish(socket, path string, mode fs.FileMode, gid int) (fs.FileInfo, error) {
	if gid >= 0 {
		if err := os.Chown(socket, -1, gid); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(socket, mode); err != nil {
		return nil, err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, socket, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE); err != nil {
		return nil, &os.LinkError{Op: "rename", Old: socket, New: path, Err: err}
	}
	return os.Lstat(path)
}

// isSocket reports whether the path still leads to the socket that was created there.
func isSocket(path string, file fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, file)
}

func removeSocket(path string, file fs.FileInfo) {
	if isSocket(path, file) {
		os.Remove(path) // then the socket is stale, and the next listener replaces it
	}
}

// groupID returns -1 for an empty group.
func groupID(group string) (int, error) {
	if group == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(g.Gid)
}

// pauseAccepting waits for a temporary fault to end.
func pauseAccepting() { time.Sleep(100 * time.Millisecond) }
