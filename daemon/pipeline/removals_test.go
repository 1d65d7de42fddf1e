// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/statefile"
)

// A faultyDisk returns an error from the calls for which fail returns true.
type faultyDisk struct {
	statefile.Disk
	fail func(call string) bool
}

func (f *faultyDisk) run(call string, do func() error) error {
	if f.fail(call) {
		return &os.PathError{Op: call, Path: "x", Err: unix.EIO}
	}
	return do()
}

func (f *faultyDisk) Read(path string) (text []byte, err error) {
	err = f.run("read", func() error { text, err = f.Disk.Read(path); return err })
	return text, err
}

func (f *faultyDisk) Replace(path string, text []byte) error {
	return f.run("replace", func() error { return f.Disk.Replace(path, text) })
}

func (f *faultyDisk) SetAside(path string) error {
	return f.run("set aside", func() error { return f.Disk.SetAside(path) })
}

func (f *faultyDisk) Remove(path string) error {
	return f.run("remove", func() error { return f.Disk.Remove(path) })
}

// once returns a fault of the first call of one kind.
func once(kind string) func(string) bool {
	failed := false
	return func(call string) bool {
		fails := call == kind && !failed
		failed = failed || fails
		return fails
	}
}

// always returns a fault of all calls of one kind.
func always(kind string) func(string) bool { return func(call string) bool { return call == kind } }

func TestUnreadableRemovedSinksFileIsKept(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, fail := range map[string]func(string) bool{
		"once": once("read"), "for ever": always("read"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), RemovedFile)
			r := newRemovals(statefile.Disk{}, path)
			if _, err := r.load(); err != nil {
				t.Fatal(err)
			}
			r.missing("old", begin)
			r.missing("back", begin)
			if err := r.save(); err != nil {
				t.Fatal(err)
			}
			files := &faultyDisk{fail: fail}
			r = newRemovals(files, path)
			if _, err := r.load(); !errors.Is(err, unix.EIO) || r.known {
				t.Fatalf("%v, known %v", err, r.known)
			}
			r.missing("old", begin.Add(time.Hour))
			r.missing("new", begin.Add(time.Hour))
			r.configured("back")
			r.missing("back", begin.Add(2*time.Hour))
			if err := r.save(); err != nil {
				t.Fatal(err)
			}
			files.fail = always("")
			if _, err := r.load(); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]time.Time{"old": begin, "new": begin.Add(time.Hour), "back": begin.Add(2 * time.Hour)} {
				if since, isNew := r.missing(name, begin.Add(5*time.Hour)); !since.Equal(want) || isNew {
					t.Errorf("%s is missing since %v, new %v, want %v", name, since, isNew, want)
				}
			}
		})
	}
}

func TestFailedWriteOfRemovalTimeIsRepeated(t *testing.T) {
	path := filepath.Join(t.TempDir(), RemovedFile)
	files := &faultyDisk{fail: always("replace")}
	r := newRemovals(files, path)
	if _, err := r.load(); err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.missing("gone", since)
	for range 2 {
		if err := r.save(); !errors.Is(err, unix.EIO) {
			t.Fatal(err)
		}
	}
	files.fail = always("")
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	r = newRemovals(files, path)
	if _, err := r.load(); err != nil {
		t.Fatal(err)
	}
	if got, isNew := r.missing("gone", since.Add(time.Hour)); !got.Equal(since) || isNew {
		t.Errorf("it is missing since %v, new %v", got, isNew)
	}
}

func TestDamagedRemovedSinksFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), RemovedFile)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := &faultyDisk{fail: once("set aside")}
	r := newRemovals(files, path)
	if damaged, err := r.load(); damaged != nil || !errors.Is(err, unix.EIO) || r.known {
		t.Errorf("damaged %v, %v, known %v", damaged, err, r.known)
	}
	if damaged, err := r.load(); damaged == nil || err != nil || !r.known {
		t.Errorf("damaged %v, %v, known %v", damaged, err, r.known)
	}
	if text, err := os.ReadFile(path + ".damaged"); string(text) != "{" {
		t.Errorf("the damaged file has %q, %v", text, err)
	}
}
