// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestOpenRejectsUnusableDirectory: the error contains the remedy, and Open changes no file.
func TestOpenRejectsUnusableDirectory(t *testing.T) {
	const line = "genltestd-journal format=2 id=0000000000000001 mark=0000000000000002 more"
	newer := fmt.Appendf(nil, "%s crc=%08x\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
	for _, c := range []struct {
		name  string
		setUp func(*testing.T, string)
		is    error
		want  string
	}{
		{"newer", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "meta"), newer)
		}, ErrNewer, "install the version"},
		{"foreign", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "precious.txt"), []byte("x"))
		}, ErrForeign, "empty directory of its own"},
		{"foreign with a file named like ours", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "meta"), []byte("x"))
		}, ErrForeign, "empty directory of its own"},
		{"locked", func(t *testing.T, dir string) { firstUse(t, open(t, dir, Options{})) }, ErrLocked, fmt.Sprintf("process %d", os.Getpid())},
		{"a file", func(t *testing.T, dir string) {
			os.Remove(dir)
			write(t, dir, []byte("x"))
		}, unix.ENOTDIR, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "j")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			c.setUp(t, dir)
			before, _ := os.ReadDir(dir)
			_, err := Open(dir, Options{})
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("files before Open: %v, after: %v", before, after)
			}
		})
	}
}

func TestOpenReportsReadOnlyFileSystem(t *testing.T) {
	fs := memfs.New()
	fs.Fail = func(memfs.Op) error { return unix.EROFS }
	_, err := Open("/j", manualOptions(fs))
	if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "must be readable and writable") {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
