// SPDX-License-Identifier: Apache-2.0

package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// onBoth runs a test on the disk of this machine and on the file system in memory. Both must
// behave equally, because the tests of crashes use the latter.
func onBoth(t *testing.T, test func(t *testing.T, fs vfs.FS, dir string)) {
	t.Run("disk", func(t *testing.T) { test(t, vfs.Disk{}, t.TempDir()) })
	t.Run("memory", func(t *testing.T) { test(t, memfs.New(), "/j") })
}

func open(t *testing.T, fs vfs.FS, path string, flags int) vfs.File {
	t.Helper()
	f, err := fs.Open(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // the test may have closed it
	return f
}

func create(t *testing.T, fs vfs.FS, path, text string) vfs.File {
	t.Helper()
	f := open(t, fs, path, unix.O_RDWR|unix.O_CREAT)
	if n, err := f.WriteAt([]byte(text), 0); n != len(text) || err != nil {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	return f
}

// content reads a file to its end.
func content(t *testing.T, f io.ReaderAt) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		path := filepath.Join(dir, "f")
		if _, err := fs.Open(path, unix.O_RDONLY); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a missing file: %v", err)
		}
		open(t, fs, path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
		if _, err := fs.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL); !errors.Is(err, os.ErrExist) {
			t.Errorf("an existing file: %v", err)
		}
		create(t, fs, path, "content")
		if got := content(t, open(t, fs, path, unix.O_RDONLY)); got != "content" {
			t.Errorf("got %q", got)
		}
		if got := content(t, open(t, fs, path, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)); got != "" {
			t.Errorf("truncated, and the file has %q", got)
		}
	})
}

func TestReadAndWriteAtOffsets(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		f := create(t, fs, filepath.Join(dir, "f"), "0123456789")
		if _, err := f.WriteAt([]byte("xy"), 12); err != nil { // beyond the end
			t.Fatal(err)
		}
		if got := content(t, f); got != "0123456789\x00\x00xy" {
			t.Errorf("got %q", got)
		}
		b := make([]byte, 4)
		for _, test := range []struct {
			off  int64
			want string
			err  error
		}{{0, "0123", nil}, {10, "\x00\x00xy", nil}, {12, "xy", io.EOF}, {14, "", io.EOF}, {100, "", io.EOF}} {
			n, err := f.ReadAt(b, test.off)
			if string(b[:n]) != test.want || !errors.Is(err, test.err) || err == nil != (test.err == nil) {
				t.Errorf("at %d: %q, %v", test.off, b[:n], err)
			}
		}
		for size, want := range map[int64]string{3: "012", 5: "012\x00\x00"} {
			if err := errors.Join(f.Truncate(3), f.Truncate(size), f.Sync()); err != nil {
				t.Fatal(err)
			}
			if got := content(t, f); got != want {
				t.Errorf("%d bytes: got %q", size, got)
			}
		}
	})
}

func TestNamesAndIdentities(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		f := create(t, fs, a, "first")
		create(t, fs, b, "second")
		before, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(fs.Rename(a, b), fs.SyncDir(dir)); err != nil {
			t.Fatal(err)
		}
		if info, err := fs.Stat(b); err != nil || info.ID != before.ID || info.Bytes != 5 || info.Name != "b" || info.Kind != "" {
			t.Errorf("after the rename: %+v, %v, want the file %+v", info, err, before.ID)
		}
		if _, err := fs.Stat(a); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old name: %v", err)
		}
		if err := fs.Remove(b); err != nil {
			t.Fatal(err)
		}
		if got := content(t, f); got != "first" {
			t.Errorf("the open file without a name has %q", got)
		}
		if err := fs.Remove(b); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("removed twice: %v", err)
		}
		create(t, fs, b, "third")
		if info, err := fs.Stat(b); err != nil || info.ID == before.ID {
			t.Errorf("a new file has the identity of an open one: %+v, %v", info, err)
		}
	})
}

func TestListIsSorted(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		for _, name := range []string{"b", "a.tmp", "10", "9"} {
			create(t, fs, filepath.Join(dir, name), name)
		}
		sub := filepath.Join(dir, "sub")
		if err := errors.Join(fs.Mkdir(sub), fs.Mkdir(sub)); err != nil {
			t.Fatal(err)
		}
		create(t, fs, filepath.Join(sub, "c"), "")
		files, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			if f.Kind != vfs.KindDirectory {
				got = append(got, f.Name)
			}
			if f.Kind == "" && f.Bytes != int64(len(f.Name)) {
				t.Errorf("%+v", f)
			}
		}
		if diff := cmp.Diff([]string{"10", "9", "a.tmp", "b"}, got); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	})
}

func TestLockIsExclusive(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		path := filepath.Join(dir, "lock")
		first, second := create(t, fs, path, ""), open(t, fs, path, unix.O_RDWR)
		if err := first.Lock(); err != nil {
			t.Fatal(err)
		}
		if err := second.Lock(); !errors.Is(err, unix.EWOULDBLOCK) {
			t.Errorf("locked twice: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := second.Lock(); err != nil {
			t.Errorf("after the first was closed: %v", err)
		}
	})
}

func TestDupOutlivesOriginal(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		f := create(t, fs, filepath.Join(dir, "f"), "content")
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, dup); got != "content" {
			t.Errorf("got %q", got)
		}
	})
}

func TestSmallFiles(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		path := filepath.Join(dir, "small")
		if _, err := vfs.ReadFile(fs, path, 10); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a missing file: %v", err)
		}
		for _, text := range []string{"longer text", "text", ""} {
			if err := vfs.WriteFile(fs, path, []byte(text)); err != nil {
				t.Fatal(err)
			}
			for limit := range 13 {
				want := []byte(text)[:min(limit, len(text))]
				if got, err := vfs.ReadFile(fs, path, limit); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%q, limit %d: %q, %v", text, limit, got, err)
				}
			}
		}
		if files, err := fs.List(dir); err != nil || len(files) != 1 {
			t.Errorf("a temporary file is left: %v, %v", files, err)
		}
	})
}

func TestRemoveSameKeepsOtherFile(t *testing.T) {
	onBoth(t, func(t *testing.T, fs vfs.FS, dir string) {
		path := filepath.Join(dir, "f")
		listed := func() vfs.FileInfo {
			files, err := fs.List(dir)
			if err != nil || len(files) != 1 {
				t.Fatalf("%v, %v", files, err)
			}
			return files[0]
		}
		create(t, fs, path, "old")
		old := listed()
		if err := vfs.WriteFile(fs, path, []byte("new")); err != nil {
			t.Fatal(err)
		}
		if removed, err := vfs.RemoveSame(fs, path, old); removed || err != nil {
			t.Errorf("another file: %v, %v", removed, err)
		}
		if removed, err := vfs.RemoveSame(fs, path, listed()); !removed || err != nil {
			t.Errorf("the same file: %v, %v", removed, err)
		}
		if removed, err := vfs.RemoveSame(fs, path, old); removed || err != nil {
			t.Errorf("a missing file: %v, %v", removed, err)
		}
		old.Kind = "FIFO"
		if removed, err := vfs.RemoveSame(fs, path, old); removed || !errors.Is(err, vfs.ErrIrregular) {
			t.Errorf("a FIFO: %v, %v", removed, err)
		}
	})
}
