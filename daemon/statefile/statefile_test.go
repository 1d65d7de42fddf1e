// SPDX-License-Identifier: Apache-2.0

package statefile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/tmpfs"
)

func TestReadDistinguishesOtherErrorsFromAMissingFile(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string) error
		want string
	}{
		"directory": {func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		"FIFO":      {func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) }, "not a regular file"},
		"device":    {func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) }, "not a regular file"},
		"loop":      {func(_ *testing.T, path string) error { return os.Symlink(path, path) }, "too many levels"},
		"socket": {func(t *testing.T, path string) error {
			l, err := net.Listen("unix", path)
			t.Cleanup(func() { l.Close() })
			return err
		}, unix.ENXIO.Error()},
		"large": {func(_ *testing.T, path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, MaxBytes+1))
		}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := c.make(t, path); err != nil {
				t.Fatal(err)
			}
			_, err := Disk{}.Read(path)
			if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want the path and %q", err, c.want)
			}
		})
	}
	if _, err := (Disk{}).Read(filepath.Join(t.TempDir(), "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReplaceLeavesTheOldContentWhenItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := (Disk{}).Replace(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for name, obstacle := range map[string]func() error{
		"directory": func() error { return os.Mkdir(path+tempSuffix, 0o700) },
		"FIFO":      func() error { return unix.Mkfifo(path+tempSuffix, 0o600) },
		"link":      func() error { return os.Symlink("/dev/full", path+tempSuffix) },
	} {
		if err := obstacle(); err != nil {
			t.Fatal(err)
		}
		if err := (Disk{}).Replace(path, []byte("new")); err == nil {
			t.Errorf("%s: no error", name)
		}
		if text, err := (Disk{}).Read(path); string(text) != "old" {
			t.Errorf("%s: the file contains %q, %v", name, text, err)
		}
		if err := os.RemoveAll(path + tempSuffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := (Disk{}).Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := (Disk{}).Read(path); string(text) != "new" {
		t.Errorf("the file contains %q, %v", text, err)
	}
}

func TestADamagedFileCanBeExamined(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"first", "second"} {
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), Disk{}.SetAside(path)); err != nil {
			t.Fatal(err)
		}
		if text, err := (Disk{}).Read(path + ".damaged"); string(text) != content {
			t.Errorf("%q, %v", text, err)
		}
	}
	if err := (Disk{}).Remove(path); err != nil {
		t.Errorf("removing a file that does not exist: %v", err)
	}
}

func TestAReadOnlyFileSystemKeepsTheContent(t *testing.T) {
	dir := tmpfs.Mount(t, "size=64k")
	path := filepath.Join(dir, "f")
	if err := (Disk{}).Replace(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	tmpfs.Remount(t, dir, unix.MS_RDONLY, "")
	for name, err := range map[string]error{
		"Replace": Disk{}.Replace(path, []byte("new")), "SetAside": Disk{}.SetAside(path), "Remove": Disk{}.Remove(path),
	} {
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := (Disk{}).Read(path); string(text) != "old" || err != nil {
		t.Errorf("the file has %q, %v", text, err)
	}
	tmpfs.Remount(t, dir, 0, "")
	if err := (Disk{}).Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := (Disk{}).Read(path); string(text) != "new" || err != nil {
		t.Errorf("the file has %q, %v", text, err)
	}
}
