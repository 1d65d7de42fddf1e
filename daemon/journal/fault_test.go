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

// failing returns a fault that hits steps of one kind on segments.
func failing(kind memfs.Kind, err error) func(memfs.Op) error {
	return failingOn(segment.Suffix, kind, err)
}

// failingOn hits files with names that contain part.
func failingOn(part string, kind memfs.Kind, err error) func(memfs.Op) error {
	return func(o memfs.Op) error {
		if o.Kind == kind && strings.Contains(o.Name, part) {
			return err
		}
		return nil
	}
}

// TestAppendTakesBackAWriteThatFails: nothing of the batch is ever seen, also
// if removing it fails too, and the journal continues.
func TestAppendTakesBackAWriteThatFails(t *testing.T) {
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
			j := open(t, "/j", still(fs))
			r := reader(t, j, "r", FromOldest)
			fill(t, j, 3)
			fs.Fail = fail
			for range 3 {
				big := string(make([]byte, 900)) // needs a segment of its own
				if err := j.Append(9, epoch, batchOf(big)); !errors.Is(err, unix.ENOSPC) {
					t.Fatalf("got %v", err)
				}
			}
			fs.Fail = nil
			put(t, j, 9, "after")
			got, skipped := drain(t, r)
			if len(got) != 4 || got[3].text != "after" || skipped != 0 {
				t.Errorf("got %v, %d skipped", got, skipped)
			}
			abandon(j)
			j = open(t, "/j", still(fs))
			got, skipped = drain(t, reader(t, j, "r", FromOldest))
			if len(got) != 4 || skipped != 0 || j.LastGeneration() != 9 {
				t.Errorf("after a restart: got %v, %d skipped, generation %d", got, skipped, j.LastGeneration())
			}
		})
	}
}

// TestFailedFsync: records that a failed fsync may have lost are written again, and are not
// called durable before.
func TestFailedFsync(t *testing.T) {
	for _, part := range []string{"never synced", "synced in part"} {
		t.Run(part, func(t *testing.T) {
			fs := memfs.New()
			j := open(t, "/j", still(fs))
			r := reader(t, j, "r", FromOldest)
			if part == "synced in part" {
				put(t, j, 1, "durable")
				maintain(t, j)
			}
			synced := j.Stats().Synced
			put(t, j, 2, "one")
			put(t, j, 3, "two")
			// Each fsync fails for a while. After that a second fsync of the same file still
			// proves nothing.
			fs.Fail = failing(memfs.Sync, unix.EIO)
			for range 3 {
				if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) || j.Stats().Fault == nil {
					t.Fatalf("got %v, fault %v", err, j.Stats().Fault)
				}
			}
			if j.Stats().Synced != synced {
				t.Errorf("synced up to %d, nothing after %d can be", j.Stats().Synced, synced)
			}
			if err := j.Append(4, epoch, batchOf("refused")); !errors.Is(err, unix.EIO) {
				t.Errorf("got %v", err)
			}
			fs.Fail = nil
			maintain(t, j)
			if j.Stats().Synced != j.Stats().Last || j.Stats().Fault != nil {
				t.Errorf("synced up to %d of %d, fault %v", j.Stats().Synced, j.Stats().Last, j.Stats().Fault)
			}
			put(t, j, 4, "three")
			maintain(t, j)
			want := int(j.Stats().Count)
			got, skipped := drain(t, r)
			if len(got) != want || skipped != 0 {
				t.Errorf("got %v, %d skipped", got, skipped)
			}
			abandon(j)
			got, skipped = drain(t, reader(t, open(t, "/j", still(fs)), "r", FromOldest))
			if len(got) != want || skipped != 0 {
				t.Errorf("after a restart: got %v, %d skipped", got, skipped)
			}
		})
	}
}

// TestFailedFsyncAlways: the batch is not in the journal, and can be appended
// again.
func TestFailedFsyncAlways(t *testing.T) {
	fs := memfs.New()
	opts := still(fs)
	opts.Fsync = FsyncAlways
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, 1, "one")
	fs.Fail = failing(memfs.Sync, unix.EIO)
	if err := j.Append(2, epoch, batchOf("two")); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	if j.Stats().Synced != 1 || j.Stats().Last != 1 {
		t.Errorf("synced %d, last %d; want 1", j.Stats().Synced, j.Stats().Last)
	}
	fs.Fail = nil
	put(t, j, 2, "two")
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

// TestAttemptsWhileFsyncFailsLeaveNothingBehind: each would leave a segment, for as
// long as the disk is ill.
func TestAttemptsWhileFsyncFailsLeaveNothingBehind(t *testing.T) {
	fs := memfs.New()
	opts := still(fs)
	opts.Fsync = FsyncAlways
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	put(t, j, 1, "one")
	fs.Fail = failing(memfs.Sync, unix.EIO)
	for range 50 {
		if err := j.Append(2, epoch, batchOf("two")); !errors.Is(err, unix.EIO) {
			t.Fatalf("got %v", err)
		}
	}
	fs.Fail = nil
	put(t, j, 2, "two")
	if n := len(segmentsIn(fs)); n != 2 || j.Stats().Synced != j.Stats().Newest {
		t.Errorf("%d segments, synced %d of %d", n, j.Stats().Synced, j.Stats().Newest)
	}
	abandon(j)
	j = open(t, "/j", still(memfs.PowerCut(fs.Ops, len(fs.Ops), unlucky)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 2 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

func unlucky() bool { return false }

// TestFailedFsyncBeforeAKill: records that the killed process could not make durable, and
// whose pages the kernel marks clean, are written again before they are called durable.
func TestFailedFsyncBeforeAKill(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", still(fs))
	reader(t, j, "r", FromOldest)
	put(t, j, 1, "one")
	fs.Fail = func(o memfs.Op) error { // the fsync, and each way to mend it
		return errors.Join(failing(memfs.Sync, unix.EIO)(o), failing(memfs.Create, unix.EIO)(o))
	}
	if err := j.syncer.maintain(); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	abandon(j)
	fs.Fail = nil
	j = open(t, "/j", still(fs))
	begin(t, j)
	if j.Stats().Synced != j.Stats().Newest || j.Stats().Newest != 1 {
		t.Errorf("synced %d of %d", j.Stats().Synced, j.Stats().Newest)
	}
	abandon(j)
	j = open(t, "/j", still(memfs.PowerCut(fs.Ops, len(fs.Ops), unlucky)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 1 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

// TestFailedFsyncOfACursor: a second fsync alone would prove nothing, and records
// that the cursor on the disk still needs would be removed.
func TestFailedFsyncOfACursor(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", still(fs))
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
	j = open(t, "/j", still(memfs.PowerCut(fs.Ops, len(fs.Ops), unlucky)))
	if got, skipped := drain(t, reader(t, j, "r", FromOldest)); len(got) != 0 || skipped != 0 {
		t.Errorf("after a power cut: got %v, %d skipped", got, skipped)
	}
}

// TestFullDisk fills a real file system, and frees it by delivery alone.
func TestFullDisk(t *testing.T) {
	dir := tmpfs.Mount(t, "size=512k")
	opts := Options{SegmentBytes: 50_000, SyncInterval: time.Hour}
	j := open(t, filepath.Join(dir, "j"), opts)
	r := reader(t, j, "r", FromOldest)
	taken, read, full := 0, 0, 0
	for round := 0; taken < 5000; round++ {
		err := j.Append(uint64(taken+1), epoch, batchOf(fmt.Sprintf("%0*d", 1000, taken)))
		switch {
		case err == nil:
			taken++
			continue
		case !errors.Is(err, unix.ENOSPC):
			t.Fatal(err)
		}
		if full++; full%2 == 1 { // also start on a full disk now and then
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
	if read+len(all) != taken || full < 5 {
		t.Errorf("%d of %d read, the disk was full %d times", read+len(all), taken, full)
	}
}
