// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// TestIrregularFileIsNotOpened also fails if Open blocks on the FIFO.
func TestIrregularFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.Mkdir(in("directory"), 0o700), os.Symlink("/etc/passwd", in("symbolic link")), unix.Mkfifo(in("FIFO"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", in("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	files, err := vfs.Disk{}.List(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if f.Kind != f.Name {
			t.Errorf("%s is a %q", f.Name, f.Kind)
		}
		for _, flags := range []int{unix.O_RDONLY, unix.O_RDWR | unix.O_CREAT} {
			if _, err := (vfs.Disk{}).Open(in(f.Name), flags); !errors.Is(err, vfs.ErrIrregular) || !strings.Contains(err.Error(), f.Name) {
				t.Errorf("open %s: %v", f.Name, err)
			}
		}
	}
	if _, err := (vfs.Disk{}).Open("/dev/null", unix.O_RDONLY); !errors.Is(err, vfs.ErrIrregular) || !strings.Contains(err.Error(), "device") {
		t.Errorf("open a device: %v", err)
	}
	d, err := vfs.Disk{}.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestPathOpensRenamedFile(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f := create(t, vfs.Disk{}, a, "content")
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(f.Path()); err != nil || string(text) != "content" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestSyncFailsOnReadOnlyFileSystem: an fsync of a file system that has become read-only
// succeeds, and writes nothing.
func TestSyncFailsOnReadOnlyFileSystem(t *testing.T) {
	dir := tmpfs.Mount(t, "size=64k")
	path := filepath.Join(dir, "f")
	if err := create(t, vfs.Disk{}, path, "content").Close(); err != nil { // an open file prevents the remount
		t.Fatal(err)
	}
	f := open(t, vfs.Disk{}, path, unix.O_RDONLY)
	if err := errors.Join(f.Sync(), vfs.Disk{}.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	tmpfs.Remount(t, dir, unix.MS_RDONLY, "")
	if err := f.Sync(); !errors.Is(err, unix.EROFS) {
		t.Errorf("sync of a file: %v", err)
	}
	if err := (vfs.Disk{}).SyncDir(dir); !errors.Is(err, unix.EROFS) {
		t.Errorf("sync of a directory: %v", err)
	}
	tmpfs.Remount(t, dir, 0, "")
}

func TestIsFull(t *testing.T) {
	for err, want := range map[error]bool{unix.ENOSPC: true, unix.EDQUOT: true, unix.EIO: false, nil: false} {
		if vfs.IsFull(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
