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

// A stuckFS delays an fsync of a cursor, if stuck is set.
type stuckFS struct {
	*memfs.FS
	stuck   atomic.Bool
	entered chan struct{}
	release chan struct{}
}

type stuckFile struct {
	vfs.File
	fs *stuckFS
}

func (s *stuckFS) Open(name string, flags int) (vfs.File, error) {
	f, err := s.FS.Open(name, flags)
	if err == nil && strings.HasPrefix(path.Base(name), cursor.Prefix) {
		f = stuckFile{f, s}
	}
	return f, err
}

func (f stuckFile) Sync() error {
	if f.fs.stuck.CompareAndSwap(true, false) {
		f.fs.entered <- struct{}{}
		<-f.fs.release
	}
	return f.File.Sync()
}

// TestCommitSurvivesTheProcessDuringAnFsync: an fsync may take long, in which many
// batches are delivered; all of them would be delivered again.
func TestCommitSurvivesTheProcessDuringAnFsync(t *testing.T) {
	fs := &stuckFS{FS: memfs.New(), entered: make(chan struct{}), release: make(chan struct{})}
	opts := still(fs)
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, 1, "one", "two", "three", "four", "five")
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
	fs.stuck.Store(true)
	flushed := make(chan error, 1)
	go func() { flushed <- j.cursors.Flush(true) }()
	<-fs.entered
	commit()
	commit()
	after := still(fs.Clone())
	if got, _ := readOne(t, reader(t, open(t, "/j", after), "r", FromOldest)); got.text != "four" {
		t.Errorf("killed during the fsync, the next event is %v", got)
	}
	close(fs.release)
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	commit()
	after = still(fs.Clone())
	if got, _ := readOne(t, reader(t, open(t, "/j", after), "r", FromOldest)); got.text != "five" {
		t.Errorf("killed after the fsync, the next event is %v", got)
	}
}

// TestAReaderThatWasMadeInVainCanBeUndone: Close and RemoveCursor leave what was before
// a new name had a reader. A name that had a cursor keeps it, and its place, with Close.
func TestAReaderThatWasMadeInVainCanBeUndone(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", still(fs))
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
		t.Error("a cursor that was undone holds records back")
	}
	fs = memfs.PowerCut(fs.Ops, len(fs.Ops), unlucky)
	j = open(t, "/j", still(fs))
	if !slices.Equal(j.Cursors(), []string{"kept"}) {
		t.Errorf("after a power cut there are cursors %q", j.Cursors())
	}
	again := reader(t, j, "kept", FromEnd)
	readMany := j.Stats().Count - again.Backlog()
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if r := reader(t, j, "kept", FromEnd); j.Stats().Count-r.Backlog() != readMany || readMany != 30 {
		t.Errorf("a reader made in vain has moved the place from %d to %d", readMany, j.Stats().Count-r.Backlog())
	}
}

func TestACommitThatFailedIsWrittenByTheSameCommitLater(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", still(fs))
	r := reader(t, j, "r", FromOldest)
	put(t, j, 1, "one")
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
	j = open(t, "/j", still(fs))
	if got, _ := drain(t, reader(t, j, "r", FromOldest)); len(got) > 0 {
		t.Errorf("what was committed is read again: %v", got)
	}
}
