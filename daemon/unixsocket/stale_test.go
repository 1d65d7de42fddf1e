// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listen returns a listener that does not remove its socket.
func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return l
}

// full listens with a full queue.
func full(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
}

func TestAStaleSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listen(t, path).Close()
	for range 2 { // the second time the socket does not exist
		if err := RemoveStale(path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("the socket still exists: %v", err)
		}
	}
}

func TestOnlyStaleSocketsAreRemoved(t *testing.T) {
	const noSocket = "is not a socket"
	for name, c := range map[string]struct {
		make func(t *testing.T, path string) error
		want string
	}{
		"file":      {func(_ *testing.T, path string) error { return os.WriteFile(path, nil, 0o600) }, noSocket},
		"directory": {func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, noSocket},
		"link":      {func(_ *testing.T, path string) error { return os.Symlink("/nowhere", path) }, noSocket},
		"served":    {func(t *testing.T, path string) error { listen(t, path); return nil }, ErrServed.Error()},
		"busy":      {func(t *testing.T, path string) error { full(t, path); return nil }, unix.EAGAIN.Error()},
		"datagrams": {func(t *testing.T, path string) error {
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
			t.Cleanup(func() { c.Close() })
			return err
		}, unix.EPROTOTYPE.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			if err := c.make(t, path); err != nil {
				t.Fatal(err)
			}
			for _, remove := range []func(string) error{RemoveStale, RemoveOwn} {
				if err := remove(path); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			}
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("it was removed: %v", err)
			}
		})
	}
}

// asNobody runs f with the file permissions of another user.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setfsuid(0); err != nil {
			t.Error(err)
		}
	}()
	f()
}

const nobody = 65534

// rootsSocket returns the path of a stale socket of root in a directory of another user, who
// may not connect to it.
func rootsSocket(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "genltestd-") // the directory of t.TempDir is not accessible for others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listen(t, path).Close()
	if err := errors.Join(os.Chmod(path, 0o600), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnotherUsersSocketDoesNotBlockItsOwnerForEver(t *testing.T) {
	path := rootsSocket(t)
	asNobody(t, func() {
		if err := RemoveOwn(path); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("the socket still exists: %v", err)
		}
	})
}

func TestAnotherUsersSocketStaysWhereOthersMayListen(t *testing.T) {
	path := rootsSocket(t)
	asNobody(t, func() {
		err := RemoveStale(path)
		if err == nil || !strings.Contains(err.Error(), "user root") || !strings.Contains(err.Error(), "remove the socket") {
			t.Errorf("%v, want the owner and the remedy", err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("it was removed: %v", err)
		}
	})
}
