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

// faulty fails the calls for which fail is true, and makes the others on the disk.
type faulty struct {
	statefile.Disk
	fail func(call string) bool
}

func (f *faulty) try(call string, do func() error) error {
	if f.fail(call) {
		return &os.PathError{Op: call, Path: "x", Err: unix.EIO}
	}
	return do()
}

func (f *faulty) Read(path string) (text []byte, err error) {
	err = f.try("read", func() error { text, err = f.Disk.Read(path); return err })
	return text, err
}

func (f *faulty) Replace(path string, text []byte) error {
	return f.try("replace", func() error { return f.Disk.Replace(path, text) })
}

func (f *faulty) SetAside(path string) error {
	return f.try("set aside", func() error { return f.Disk.SetAside(path) })
}

func (f *faulty) Remove(path string) error {
	return f.try("remove", func() error { return f.Disk.Remove(path) })
}

// once fails one kind of call the first time.
func once(which string) func(string) bool {
	failed := false
	return func(call string) bool {
		fails := call == which && !failed
		failed = failed || fails
		return fails
	}
}

func always(which string) func(string) bool { return func(call string) bool { return call == which } }

func TestAFileOfRemovedSinksThatCannotBeReadIsNeitherLostNorEmpty(t *testing.T) {
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
			files := &faulty{fail: fail}
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

func TestATimeThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), RemovedFile)
	files := &faulty{fail: always("replace")}
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

func TestADamagedFileOfRemovedSinksIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), RemovedFile)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := &faulty{fail: once("set aside")}
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
