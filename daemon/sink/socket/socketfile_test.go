// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// entriesOf returns the names in the directory.
func entriesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSocketHasItsModeAndGroupWithoutTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("x", 100-len(dir))) // close to the maximum length
	l, file, err := listenAt(path, 0o620, "1")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		t.Fatal(err)
	}
	if file.Mode().Perm() != 0o620 || stat.Gid != 1 {
		t.Errorf("mode %v, group %d", file.Mode(), stat.Gid)
	}
	if names := entriesOf(t, dir); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, _, err := listenAt(path, 0o600, "")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestForeignFilesAreNeitherReplacedNorRemoved(t *testing.T) {
	listening := func(t *testing.T, path string) {
		other, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { other.Close() })
	}
	tests := map[string]func(t *testing.T, path string){
		"file":                     func(t *testing.T, path string) { _ = os.WriteFile(path, []byte("x"), 0o600) }, // found missing below
		"directory":                func(t *testing.T, path string) { _ = os.Mkdir(path, 0o700) },
		"link":                     func(t *testing.T, path string) { _ = os.Symlink("/nowhere", path) },
		"another process's socket": listening,
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.sock")
			make(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			l := NewListener(listenConfig(path, Listen{Permissions: 0o600, Buffer: 1 << 16, MaxReaders: 1}), jsonEnv())
			if n, err := l.Deliver(t.Context(), sinktest.Events(1, 3)); n != 0 || err == nil {
				t.Errorf("accepted %d events, %v", n, err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("the file is missing: %v", err)
			}
			if names := entriesOf(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("the directory has %q", names)
			}
		})
	}
}

func TestCloseRemovesOnlyItsOwnSocket(t *testing.T) {
	l := newListener(t, 1<<16)
	path := l.path
	deliver(t, l, 1, 1)
	l.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	l = NewListener(listenConfig(path, *l.config), jsonEnv())
	os.Remove(path)                            // the next line would fail
	successor, err := net.Listen("unix", path) // the next daemon
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	l.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("the socket of the other daemon is missing: %v", err)
	}
}

func TestRemovedSocketIsCreatedAgain(t *testing.T) {
	l := newListener(t, 1<<16)
	if err := os.Remove(l.path); err != nil {
		t.Fatal(err)
	}
	deliver(t, l, 1, 1)
	dial(t, l)
}

func TestVerifyReportsAnUnknownGroup(t *testing.T) {
	for group, good := range map[string]bool{"": true, "root": true, "0": true, "4711": true, "no-such-group": false, "-1": false} {
		if err := listenConfig("/socket", Listen{Group: group}).Verify(nil); (err == nil) != good {
			t.Errorf("group %q: %v", group, err)
		}
	}
}
