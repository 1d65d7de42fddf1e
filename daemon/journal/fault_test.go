// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// failing returns a fault of all steps of one kind on segments.
func failing(kind memfs.Kind, err error) func(memfs.Op) error {
	return failingOn(segment.Suffix, kind, err)
}

// failingOn returns a fault of all steps of one kind on files whose name contains part.
func failingOn(part string, kind memfs.Kind, err error) func(memfs.Op) error {
	return func(o memfs.Op) error {
		if o.Kind == kind && strings.Contains(o.Name, part) {
			return err
		}
		return nil
	}
}

// TestFailedAppendLeavesNoRecords: no reader receives a record of the batch, even if
// truncating the segment fails too. The journal accepts the next batch.
func TestFailedAppendLeavesNoRecords(t *testing.T) {
	stuck := func(o memfs.Op) error {
		return errors.Join(failing(memfs.Write, unix.ENOSPC)(o), failing(memfs.Truncate, unix.EIO)(o))
	}
	for name, fail := range map[string]func(memfs.Op) error{
		"write":               failing(memfs.Write, unix.ENOSPC),
		"write, and truncate": stuck,
		"create":              failing(memfs.Create, unix.ENOSPC),
	} {
		t.Run(name, func(t *testing.T) {
			fs := memfs.New()
			j := open(t, "/j", manualOptions(fs))
			r := reader(t, j, "r", FromOldest)
			fill(t, j, 3)
			fs.Fail = fail
			for range 3 {
				big := string(make([]byte, 900)) // requires its own segment
				if err := j.Append(nil, epoch, batchOf(big)); !errors.Is(err, unix.ENOSPC) {
					t.Fatalf("got %v", err)
				}
			}
			fs.Fail = nil
			put(t, j, "after")
			got, skipped := drain(t, r)
			if len(got) != 4 || got[3].text != "after" || skipped != 0 {
				t.Errorf("got %v, %d skipped", got, skipped)
			}
			abandon(j)
			j = open(t, "/j", manualOptions(fs))
			got, skipped = drain(t, reader(t, j, "r", FromOldest))
			if len(got) != 4 || skipped != 0 || j.Recovered() != 4 {
				t.Errorf("after a restart: got %v, %d skipped, generation %d", got, skipped, j.Recovered())
			}
		})
	}
}

// TestFailedFsync: records that a failed fsync may have lost are written again, and Synced
// does not include them before.
func TestFailedFsync(t *testing.T) {
	for _, part := range []string{"never synced", "synced in part"} {
		t.Run(part, func(t *testing.T) {
			fs := memfs.New()
			j := open(t, "/j", manualOptions(fs))
			r := reader(t, j, "r", FromOldest)
			if part == "synced in part" {
				put(t, j, "durable")
				maintain(t, j)
			}
			synced := j.Stats().Synced
			put(t, j, "one")
			put(t, j, "two")
			// Several fsyncs fail. A later successful fsync of the same file does not prove that
			// the data is durable.
			fs.Fail = failing(memfs.Sync, unix.EIO)
			for range 3 {
				if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) || j.Stats().Fault == nil {
					t.Fatalf("got %v, fault %v", err, j.Stats().Fault)
				}
			}
			if j.Stats().Synced != synced {
				t.Errorf("synced up to %d, want at most %d", j.Stats().Synced, synced)
			}
			if err := j.Append(nil, epoch, batchOf("refused")); !errors.Is(err, unix.EIO) {
				t.Errorf("got %v", err)
			}
			fs.Fail = nil
			maintain(t, j)
			if j.Stats().Synced != j.Stats().Last || j.Stats().Fault != nil {
				t.Errorf("synced up to %d of %d, fault %v", j.Stats().Synced, j.Stats().Last, j.Stats().Fault)
			}
			put(t, j, "three")
			maintain(t, j)
			want := int(j.Stats().Count)
			got, skipped := drain(t, r)
			if len(got) != want || skipped != 0 {
				t.Errorf("got %v, %d skipped", got, skipped)
			}
			abandon(j)
			got, skipped = drain(t, reader(t, open(t, "/j", manualOptions(fs)), "r", FromOldest))
			if len(got) != want || skipped != 0 {
				t.Errorf("after a restart: got %v, %d skipped", got, skipped)
			}
		})
	}
}

// TestFailedFsyncAlways: the batch is not in the journal, and the next attempt
// succeeds.
func TestFailedFsyncAlways(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.Fsync = FsyncAlways
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, "one")
	fs.Fail = failing(memfs.Sync, unix.EIO)
	if err := j.Append(nil, epoch, batchOf("two")); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	if j.Stats().Synced != 1 || j.Stats().Last != 1 {
		t.Errorf("synced %d, last %d; want 1", j.Stats().Synced, j.Stats().Last)
	}
	fs.Fail = nil
	put(t, j, "two")
	if j.Stats().Synced != 2 {
		t.Errorf("synced %d, want 2", j.Stats().Synced)
	}
	abandon(j)
	got, skipped := drain(t, reader(t, open(t, "/j", opts), "r", FromOldest))
	if len(got) != 2 || skipped != 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
	_ = r
}

// TestRepeatedFsyncFailuresLeaveNoSegments: otherwise the number of segments would
// grow during a fault of the disk.
func TestRepeatedFsyncFailuresLeaveNoSegments(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.Fsync = FsyncAlways
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	put(t, j, "one")
	fs.Fail = failing(memfs.Sync, unix.EIO)
	for range 50 {
		if err := j.Append(nil, epoch, batchOf("two")); !errors.Is(err, unix.EIO) {
			t.Fatalf("got %v", err)
		}
	}
	fs.Fail = nil
	put(t, j, "two")
	if n := len(segmentsIn(fs)); n != 2 || j.Stats().Synced != j.Stats().Newest {
		t.Errorf("%d segments, synced %d of %d", n, j.Stats().Synced, j.Stats().Newest)
	}
	abandon(j)
	j = open(t, "/j", manualOptions(memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 2 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

// loseUnsynced makes a power cut lose each write that was not synced.
func loseUnsynced() bool { return false }

// TestFailedFsyncBeforeKill: records that the killed process could not make durable, and
// whose pages the kernel marks clean, are written again before Synced includes them.
func TestFailedFsyncBeforeKill(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	reader(t, j, "r", FromOldest)
	put(t, j, "one")
	fs.Fail = func(o memfs.Op) error { // the fsync, and each way to repair it
		return errors.Join(failing(memfs.Sync, unix.EIO)(o), failing(memfs.Create, unix.EIO)(o))
	}
	if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	abandon(j)
	fs.Fail = nil
	j = open(t, "/j", manualOptions(fs))
	firstUse(t, j)
	if j.Stats().Synced != j.Stats().Newest || j.Stats().Newest != 1 {
		t.Errorf("synced %d of %d", j.Stats().Synced, j.Stats().Newest)
	}
	abandon(j)
	j = open(t, "/j", manualOptions(memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 1 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

// TestShortHeaderDoesNotBlockJournal: a killed process has written only a part of a header.
// The rest of it is zero, as bytes behind the end of the file seem to be.
func TestShortHeaderDoesNotBlockJournal(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	put(t, j, "one")
	j.state.NoteSyncFailure() // so that the next process writes all headers again
	h := segment.Header{Identity: j.who, First: 2, Index: 1, Generation: 1}
	abandon(j)
	fs.Names["/j/"+segment.Name(2)] = &memfs.Node{Data: h.Encode()[:segment.HeaderLen-8]}
	opts.Fsync = FsyncAlways
	j = open(t, "/j", opts)
	put(t, j, "two")
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 2 || skipped != 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
}

// TestFailedFsyncOfCursor: after a failed fsync the cursor is written again. A second
// fsync alone does not prove that it is durable, and retention would remove records too early.
func TestFailedFsyncOfCursor(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromOldest)
	fill(t, j, 10)
	commitAll(t, r)
	fs.Fail = failingOn(cursor.Prefix, memfs.Sync, unix.EIO)
	if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	fs.Fail = nil
	maintain(t, j)
	if j.Stats().First == 1 {
		t.Error("nothing was removed")
	}
	abandon(j)
	j = open(t, "/j", manualOptions(memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 0 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

// TestFullDisk fills a real file system. Only delivery frees space.
func TestFullDisk(t *testing.T) {
	dir := tmpfs.Mount(t, "size=512k")
	opts := Options{SegmentBytes: 50_000, SyncInterval: time.Hour}
	j := open(t, filepath.Join(dir, "j"), opts)
	r := reader(t, j, "r", FromOldest)
	appended, read, full := 0, 0, 0
	for round := 0; appended < 5000; round++ {
		err := j.Append(nil, epoch, batchOf(fmt.Sprintf("%0*d", 1000, appended)))
		switch {
		case err == nil:
			appended++
			continue
		case !errors.Is(err, unix.ENOSPC):
			t.Fatal(err)
		}
		if full++; full%2 == 1 { // sometimes restart while the disk is full
			abandon(j)
			j = open(t, filepath.Join(dir, "j"), opts)
			r = reader(t, j, "r", FromOldest)
		}
		all, skipped, last := drainTo(t, r)
		if skipped > 0 {
			t.Fatalf("%d skipped", skipped)
		}
		for _, rec := range all {
			if rec.text != fmt.Sprintf("%0*d", 1000, read) {
				t.Fatalf("record %d is not %d", rec.seq, read)
			}
			read++
		}
		if err := r.Commit(last); err != nil {
			t.Fatal(err)
		}
		maintain(t, j)
	}
	all, _ := drain(t, r)
	if read+len(all) != appended || full < 5 {
		t.Errorf("%d of %d read, the disk was full %d times", read+len(all), appended, full)
	}
}
