// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// A slowCursorFS delays the next fsync of a cursor while delayNext is set.
type slowCursorFS struct {
	*memfs.FS
	delayNext atomic.Bool
	entered   chan struct{}
	release   chan struct{}
}

type slowCursorFile struct {
	vfs.File
	fs *slowCursorFS
}

func (s *slowCursorFS) Open(name string, flags int) (vfs.File, error) {
	f, err := s.FS.Open(name, flags)
	if err == nil && strings.HasPrefix(path.Base(name), cursor.Prefix) {
		f = slowCursorFile{f, s}
	}
	return f, err
}

func (f slowCursorFile) Sync() error {
	if f.fs.delayNext.CompareAndSwap(true, false) {
		f.fs.entered <- struct{}{}
		<-f.fs.release
	}
	return f.File.Sync()
}

// TestCommitDuringFsyncSurvivesKill: many batches are delivered during a slow
// fsync, and would be delivered again if their commits were lost.
func TestCommitDuringFsyncSurvivesKill(t *testing.T) {
	fs := &slowCursorFS{FS: memfs.New(), entered: make(chan struct{}), release: make(chan struct{})}
	opts := manualOptions(fs)
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, "one", "two", "three", "four", "five")
	commit := func() {
		t.Helper()
		var records [1]Record
		if n, _, err := r.Read(t.Context(), records[:]); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := r.Commit(records[0]); err != nil {
			t.Fatal(err)
		}
	}
	commit()
	fs.delayNext.Store(true)
	flushed := make(chan error, 1)
	go func() { flushed <- j.cursors.Flush(true) }()
	<-fs.entered
	commit()
	commit()
	after := manualOptions(fs.Clone())
	if got, _ := readOne(t, reader(t, open(t, "/j", after), "r", FromOldest)); got.text != "four" {
		t.Errorf("killed during the fsync, the next event is %v", got)
	}
	close(fs.release)
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	commit()
	after = manualOptions(fs.Clone())
	if got, _ := readOne(t, reader(t, open(t, "/j", after), "r", FromOldest)); got.text != "five" {
		t.Errorf("killed after the fsync, the next event is %v", got)
	}
}

// TestRemovingNewReaderRestoresCursors: Close and RemoveCursor of a new reader restore the
// previous set of cursors. Close alone does not change an existing cursor.
func TestRemovingNewReaderRestoresCursors(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	kept := reader(t, j, "kept", FromOldest)
	fill(t, j, 30)
	before := slices.Sorted(maps.Keys(fs.Names))
	fresh := pinnedReader(t, j, "fresh")
	readOne(t, fresh)
	if err := errors.Join(fresh.Close(), j.RemoveCursor("fresh")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(fs.Names))); diff != "" || !slices.Equal(j.Cursors(), []string{"kept"}) {
		t.Errorf("cursors %q, files (-before +after):\n%s", j.Cursors(), diff)
	}
	commitAll(t, kept)
	maintain(t, j)
	if j.Stats().First == 1 {
		t.Error("a removed cursor blocks retention")
	}
	fs = memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)
	j = open(t, "/j", manualOptions(fs))
	if !slices.Equal(j.Cursors(), []string{"kept"}) {
		t.Errorf("after a power cut there are cursors %q", j.Cursors())
	}
	again := reader(t, j, "kept", FromEnd)
	readMany := j.Stats().Count - again.Backlog()
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if r := reader(t, j, "kept", FromEnd); j.Stats().Count-r.Backlog() != readMany || readMany != 30 {
		t.Errorf("a reader that was closed without a commit moved the position from %d to %d", readMany, j.Stats().Count-r.Backlog())
	}
}

func TestRepeatedCommitWritesCursorAfterFailure(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromOldest)
	put(t, j, "one")
	var records [1]Record
	if n, _, err := r.Read(t.Context(), records[:]); n != 1 || err != nil {
		t.Fatalf("read %d records: %v", n, err)
	}
	fs.Fail = failingOn(cursor.Prefix, memfs.Write, unix.ENOSPC)
	for range 2 {
		if err := r.Commit(records[0]); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("commit on a full disk: %v", err)
		}
	}
	fs.Fail = nil
	if err := r.Commit(records[0]); err != nil {
		t.Errorf("commit: %v", err)
	}
	abandon(j)
	j = open(t, "/j", manualOptions(fs))
	if got, _ := drain(t, reader(t, j, "r", FromOldest)); len(got) > 0 {
		t.Errorf("committed records are read again: %v", got)
	}
}
