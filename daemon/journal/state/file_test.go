// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"math/rand"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

const path = "/j/state"

func start(t testing.TB, fs vfs.FS, known bool, first Value) *File {
	t.Helper()
	f := New(fs, path)
	if err := f.Start(known, func() Value { return first }); err != nil {
		t.Fatal(err)
	}
	return f
}

// read returns the value that the next process finds.
func read(t testing.TB, fs vfs.FS) Value {
	t.Helper()
	b, ok, err := slot.Read(fs, path)
	if !ok || err != nil {
		t.Fatalf("the file has no value: %v", err)
	}
	return Parse(b)
}

func TestStartCreatesOrKeepsFile(t *testing.T) {
	for name, test := range map[string]struct {
		content string // of an existing file
		known   bool
	}{
		"no file": {}, "a damaged file": {content: "damaged"}, "a file that has disappeared": {known: true},
	} {
		fs := memfs.New()
		if test.content != "" {
			fs.Names[path] = &memfs.Node{Data: []byte(test.content)}
		}
		f := start(t, fs, test.known, testValue())
		if got := read(t, fs); got != testValue() || f.Reserved() != testValue().Reserved || f.Path() != path {
			t.Errorf("%s: got %+v, reserved %d", name, got, f.Reserved())
		}
		f.Close()
		node := fs.Names[path]
		next := testValue()
		next.Reserved = 100
		f = start(t, fs, true, next)
		if got := read(t, fs); got != next || f.Reserved() != 100 || fs.Names[path] != node {
			t.Errorf("%s: the next process has %+v, reserved %d, in the same file: %v", name, got, f.Reserved(), fs.Names[path] == node)
		}
		f.Close()
	}
}

func TestReserveWritesOnlyAfterHalfTheStep(t *testing.T) {
	fs := memfs.New()
	f := start(t, fs, false, Value{Clean: true, Reserved: ReserveStep})
	for _, test := range []struct {
		next, want uint64
	}{
		{1, ReserveStep},
		{ReserveStep/2 - 1, ReserveStep},
		{ReserveStep / 2, ReserveStep/2 + ReserveStep},
		{ReserveStep, 2 * ReserveStep},
		{10 * ReserveStep, 11 * ReserveStep},
	} {
		before := len(fs.Ops)
		was := f.Reserved()
		if err := f.Reserve(test.next); err != nil {
			t.Fatal(err)
		}
		if f.Reserved() != test.want || (test.want != was) != (len(fs.Ops) > before) {
			t.Errorf("next %d: %d are reserved, want %d; %d steps", test.next, f.Reserved(), test.want, len(fs.Ops)-before)
		}
		if got := read(t, fs); got.Reserved != test.want || test.want != was && got.Clean {
			t.Errorf("next %d: the file has %+v", test.next, got)
		}
	}
}

// TestReservedNumbersAreDurableBeforeUse stops the machine after each step, with each
// combination of the writes that were not synced.
func TestReservedNumbersAreDurableBeforeUse(t *testing.T) {
	fs := memfs.New()
	f := start(t, fs, false, Value{Reserved: ReserveStep, Generation: 1})
	created := len(fs.Ops)
	reserved := map[int]uint64{created: f.Reserved()} // by number of completed steps
	random := rand.New(rand.NewSource(1))
	for i := range uint64(12) {
		var err error
		switch i % 3 {
		case 0:
			err = f.Reserve(i * ReserveStep)
		case 1:
			f.NoteEnds(i, i)
		case 2:
			err = f.Change(func(v *Value) { v.Generation++ })
		}
		if err != nil {
			t.Fatal(err)
		}
		reserved[len(fs.Ops)] = f.Reserved()
	}
	used, generation := uint64(0), uint64(0)
	for n := created; n <= len(fs.Ops); n++ {
		used = max(used, reserved[n])
		for _, cut := range memfs.PowerCuts(fs.Ops, n, 64, random) {
			if got := read(t, cut); got.Reserved < used {
				t.Fatalf("after step %d %d numbers may be used, and the disk has %+v", n, used, got)
			}
		}
		killed := read(t, memfs.Killed(fs.Ops, n, "no torn write", random))
		if killed.Reserved < used || killed.Generation < generation {
			t.Fatalf("after step %d a killed process has left %+v, before that generation %d", n, killed, generation)
		}
		generation = killed.Generation
	}
	if want := uint64(5); generation != want {
		t.Errorf("generation %d, want %d", generation, want)
	}
}

func TestFailedSyncReservesNoNumbers(t *testing.T) {
	fs := memfs.New()
	f := start(t, fs, false, Value{Reserved: ReserveStep})
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Sync {
			return unix.EIO
		}
		return nil
	}
	if err := f.Reserve(ReserveStep); !errors.Is(err, unix.EIO) || f.Reserved() != ReserveStep {
		t.Errorf("%v, %d are reserved", err, f.Reserved())
	}
	fs.Fail = nil
	if err := f.Reserve(ReserveStep); err != nil {
		t.Fatal(err)
	}
	cut := memfs.PowerCut(fs.Ops, len(fs.Ops), func() bool { return false })
	if got := read(t, cut); f.Reserved() != 2*ReserveStep || got.Reserved != f.Reserved() {
		t.Errorf("%d are reserved, and the disk has %+v: the page was not written again", f.Reserved(), got)
	}
}

func TestNoteEndsNeverDecreases(t *testing.T) {
	fs := memfs.New()
	f := New(fs, path)
	f.NoteEnds(1, 1) // the file does not exist before Start
	if len(fs.Ops) > 0 {
		t.Error("the file was written before Start")
	}
	f = start(t, fs, false, Value{Oldest: 5, Newest: 10})
	for _, test := range []struct{ oldest, newest, wantOldest, wantNewest uint64 }{
		{0, 0, 5, 10}, {4, 9, 5, 10}, {6, 0, 6, 10}, {0, 12, 6, 12}, {7, 13, 7, 13},
	} {
		f.NoteEnds(test.oldest, test.newest)
		if got := read(t, fs); got.Oldest != test.wantOldest || got.Newest != test.wantNewest {
			t.Errorf("noted %d and %d, got %+v", test.oldest, test.newest, got)
		}
	}
	fs.Fail = func(memfs.Op) error { return unix.EIO }
	f.NoteEnds(8, 14)
	fs.Fail = nil
	f.NoteEnds(8, 14)
	if got := read(t, fs); got.Oldest != 8 || got.Newest != 14 {
		t.Errorf("a failed note was not repeated: %+v", got)
	}
}

func TestNextProcessReadsSyncFailure(t *testing.T) {
	fs := memfs.New()
	New(fs, path).NoteSyncFailure()
	if len(fs.Ops) > 0 {
		t.Error("the file was written before Start")
	}
	f := start(t, fs, false, testValue())
	f.NoteSyncFailure()
	if got := read(t, fs); !got.SyncFailed || got.Clean {
		t.Errorf("got %+v", got)
	}
}

func TestRestoreRecreatesUnlinkedFile(t *testing.T) {
	fs := memfs.New()
	f := start(t, fs, false, testValue())
	lost := func(string, vfs.FileID) (bool, error) { return false, nil }
	if restored, err := f.Restore(func(string, vfs.FileID) (bool, error) { return true, nil }); restored || err != nil {
		t.Errorf("the file has its name: %v, %v", restored, err)
	}
	if restored, err := f.Restore(func(string, vfs.FileID) (bool, error) { return false, unix.EIO }); restored || !errors.Is(err, unix.EIO) {
		t.Errorf("the name cannot be read: %v, %v", restored, err)
	}
	delete(fs.Names, path)
	fs.Fail = func(o memfs.Op) error {
		if o.Kind == memfs.Create {
			return unix.ENOSPC
		}
		return nil
	}
	if restored, err := f.Restore(lost); !restored || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("the disk is full: %v, %v", restored, err)
	}
	fs.Fail = nil
	if restored, err := f.Restore(lost); !restored || err != nil {
		t.Fatalf("%v, %v", restored, err)
	}
	if err := f.Change(func(v *Value) { v.Generation = 99 }); err != nil {
		t.Fatal(err)
	}
	want := testValue()
	want.Generation = 99
	if got := read(t, fs); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
