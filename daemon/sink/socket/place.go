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

// listenAt makes a socket with its mode and group, and only then gives it its name, so
// that nobody can connect before. It takes the place of a socket that nobody listens
// to any more, and of nothing else.
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
	defer os.RemoveAll(dir) // nothing of ours is left in it
	handle, err := os.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer handle.Close()
	// The name of a socket is short; that of the directory may not be.
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

// publish replaces nothing: what is at path now came in the last moment.
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

// isSocket says whether the path still leads to the socket that was made there.
func isSocket(path string, file fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, file)
}

func removeSocket(path string, file fs.FileInfo) {
	if isSocket(path, file) {
		os.Remove(path) // then it is stale, and replaced by the next listener
	}
}

// groupID returns -1 for no group.
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

// pauseAccepting is for what passes by itself.
func pauseAccepting() { time.Sleep(100 * time.Millisecond) }
