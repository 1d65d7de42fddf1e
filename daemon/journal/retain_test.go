// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// fill appends n batches of one record; each fills about a third of a segment of 1,000
// bytes.
func fill(t *testing.T, j *Journal, n int) {
	t.Helper()
	for range n {
		put(t, j, string(make([]byte, 240)))
	}
}

func maintain(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.syncer.maintain(); err != nil {
		t.Fatal(err)
	}
}

func commitAll(t *testing.T, r *Reader) {
	t.Helper()
	_, _, last := drainTo(t, r)
	if err := r.Commit(last); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionWaitsForAllCursors(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	a, b := reader(t, j, "a", FromOldest), reader(t, j, "b", FromOldest)
	fill(t, j, 30)
	commitAll(t, a)
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatalf("records up to %d were removed before b committed them", j.Stats().First)
	}
	// Retention also waits for the cursor of a closed reader.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatalf("records up to %d were removed before b committed them", j.Stats().First)
	}
	b = reader(t, j, "b", FromOldest)
	commitAll(t, b)
	maintain(t, j)
	if got := len(segmentsIn(fs)); got != 1 {
		t.Errorf("%d segments are left, want the newest", got)
	}
}

func TestRemovedCursorDoesNotBlockRetention(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	a, b := reader(t, j, "a", FromOldest), reader(t, j, "b", FromOldest)
	if err := j.RemoveCursor("b"); err == nil {
		t.Error("the cursor of a reader was removed")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.RemoveCursor("b"); err != nil {
		t.Fatal(err)
	}
	fill(t, j, 30)
	commitAll(t, a)
	maintain(t, j)
	if got := len(segmentsIn(fs)); got != 1 || len(j.Cursors()) != 1 {
		t.Errorf("%d segments are left, cursors %q", got, j.Cursors())
	}
}

// TestLastGenerationSurvivesRetention: otherwise the batch in the inbox of a killed
// daemon would be appended twice.
func TestLastGenerationSurvivesRetention(t *testing.T) {
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	for round := range uint64(5) {
		r := reader(t, j, "a", FromOldest)
		fill(t, j, 7)
		commitAll(t, r)
		maintain(t, j)
		abandon(j)
		j = open(t, "/j", manualOptions(fs))
		if got, want := j.Recovered(), 7*(round+1); got != want {
			t.Fatalf("last generation %d, want %d", got, want)
		}
	}
}

func TestMaxBytesIsNotExceeded(t *testing.T) {
	const limit = 4000
	opts := manualOptions(memfs.New())
	opts.MaxBytes = limit
	j := open(t, "/j", opts)
	reader(t, j, "a", FromOldest)
	for range 200 {
		fill(t, j, 1)
		if got := j.Stats().Bytes; got > limit {
			t.Fatalf("%d bytes, the limit is %d", got, limit)
		}
	}
	if j.Stats().Bytes < limit/2 {
		t.Errorf("only %d bytes are kept of %d", j.Stats().Bytes, limit)
	}
}

func TestReaderCountsRecordsRemovedByRetention(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	early, late := reader(t, j, "early", FromOldest), reader(t, j, "late", FromOldest)
	fill(t, j, 5)
	readOne(t, early) // the reader is in the first segment when it is removed
	fill(t, j, 50)
	abandonedAt := j.Stats().Count
	for _, c := range []struct {
		name string
		r    *Reader
		had  uint64
	}{{"early", early, 1}, {"late", late, 0}} {
		got, skipped := drain(t, c.r)
		if c.had+skipped+uint64(len(got)) != abandonedAt || skipped == 0 {
			t.Errorf("%s: had %d, skipped %d, got %d; want %d in all", c.name, c.had, skipped, len(got), abandonedAt)
		}
	}
	if d := j.Stats().Damage; d != (damage.Counts{}) {
		t.Errorf("retention was counted as damage: %+v", d)
	}
	// Records before an unclean stop, which leaves a gap in the numbers, are counted too.
	fill(t, j, 50)
	abandon(j)
	j = open(t, "/j", opts)
	fill(t, j, 50)
	got, skipped := drain(t, reader(t, j, "late", FromOldest))
	if skipped+uint64(len(got)) != j.Stats().Count {
		t.Errorf("after a restart: skipped %d, got %d; want %d in all", skipped, len(got), j.Stats().Count)
	}
}

func TestMaxAgeRemovesOldSegments(t *testing.T) {
	fs := memfs.New()
	now := epoch
	opts := manualOptions(fs)
	opts.MaxAge, opts.Now = time.Hour, func() time.Time { return now }
	j := open(t, "/j", opts)
	reader(t, j, "a", FromOldest)
	put(t, j, "old")
	now = now.Add(30 * time.Minute)
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatal("removed too early")
	}
	now = now.Add(31 * time.Minute)
	if err := j.Append(nil, now, batchOf("new")); err != nil {
		t.Fatal(err)
	}
	maintain(t, j)
	if j.Stats().First != 2 || len(segmentsIn(fs)) != 1 {
		t.Errorf("first is %d in %q", j.Stats().First, segmentsIn(fs))
	}
}

// TestMaxAgeRetainsNewestMessageOfEachSegment: batches of several receivers are not in the
// order of their receipt.
func TestMaxAgeRetainsNewestMessageOfEachSegment(t *testing.T) {
	now := epoch
	opts := manualOptions(memfs.New())
	opts.MaxAge, opts.Now = time.Hour, func() time.Time { return now }
	j := open(t, "/j", opts)
	r := reader(t, j, "a", FromOldest)
	now = now.Add(50 * time.Minute)
	for _, received := range []time.Time{now, epoch} {
		if err := j.Append(nil, received, batchOf(received.String())); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Append(nil, now, batchOf(string(make([]byte, opts.SegmentBytes)))); err != nil { // in a new segment
		t.Fatal(err)
	}
	now = now.Add(50 * time.Minute) // of the first two records only the second is too old
	maintain(t, j)
	if first := j.Stats().First; first != 1 {
		t.Errorf("the journal begins with number %d", first)
	}
	if dropped, err := r.Trim(0, now.Add(-opts.MaxAge)); dropped != 0 || err != nil {
		t.Errorf("Trim dropped %d, %v", dropped, err)
	}
}

// fullForReader returns a journal that is full because a pinned reader has not committed.
func fullForReader(t *testing.T) (*Journal, *Reader) {
	t.Helper()
	opts := manualOptions(memfs.New())
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	r := pinnedReader(t, j, "r")
	if err := fillUntilFull(t, j); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	return j, r
}

// fillUntilFull appends until Append fails, and returns the error.
func fillUntilFull(t *testing.T, j *Journal) error {
	t.Helper()
	for range 1000 {
		if err := j.Append(nil, epoch, batchOf(string(make([]byte, 240)))); err != nil {
			return err
		}
	}
	t.Fatal("the journal does not get full")
	return nil
}

func pinnedReader(t *testing.T, j *Journal, name string) *Reader {
	t.Helper()
	r, err := j.NewReader(name, ReaderOptions{Pin: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPinnedReaderLosesNoRecords: a limit makes Append fail until the reader commits.
func TestPinnedReaderLosesNoRecords(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.MaxBytes, opts.MaxAge = 4000, time.Hour
	j := open(t, "/j", opts)
	reader(t, j, "free", FromOldest)
	r := pinnedReader(t, j, "pinned")
	err := fillUntilFull(t, j)
	for _, part := range []string{"/j", `"pinned"`, "overflow: drop"} {
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
	j.now = func() time.Time { return epoch.Add(48 * time.Hour) }
	maintain(t, j)
	total := 0
	for range 10 {
		all, skipped, last := drainTo(t, r)
		if total += len(all); skipped > 0 || total != int(j.Stats().Count) {
			t.Fatalf("%d of %d records read, %d skipped", total, j.Stats().Count, skipped)
		}
		if err := j.Append(nil, epoch, batchOf(string(make([]byte, 240)))); !errors.Is(err, ErrFull) {
			t.Fatalf("got %v before the reader has committed", err)
		}
		if err := r.Commit(last); err != nil {
			t.Fatal(err)
		}
		// Append succeeds immediately. The removed records must not count as skipped later.
		if err := fillUntilFull(t, j); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if err := j.syncer.syncSegments(); err != nil { // makes the removal durable; the cursor must be durable too
			t.Fatal(err)
		}
		cut := open(t, "/j", manualOptions(memfs.PowerCut(fs.Ops, len(fs.Ops), loseUnsynced)))
		if _, skipped := drain(t, pinnedReader(t, cut, "pinned")); skipped > 0 {
			t.Fatalf("%d records skipped after a power cut", skipped)
		}
	}
	if j.Stats().Bytes > opts.MaxBytes {
		t.Errorf("%d bytes, the limit is %d", j.Stats().Bytes, opts.MaxBytes)
	}
}

// TestPinEndsWithReader: the cursor of the closed reader does not block retention.
func TestPinEndsWithReader(t *testing.T) {
	j, r := fullForReader(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	fill(t, j, 50)
	if _, skipped := drain(t, reader(t, j, "r", FromOldest)); skipped == 0 {
		t.Error("nothing was removed")
	}
}

// TestLimitsRemoveNoRecordsBeforeFirstUse: otherwise a limit could remove records
// between Open and the creation of a pinned reader.
func TestLimitsRemoveNoRecordsBeforeFirstUse(t *testing.T) {
	opts := manualOptions(memfs.New())
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	fill(t, j, 30)
	abandon(j)
	opts.MaxAge, opts.MaxBytes = time.Hour, 2000
	opts.Now = func() time.Time { return epoch.Add(48 * time.Hour) }
	j = open(t, "/j", opts)
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatalf("records up to %d are removed before the first use", j.Stats().First)
	}
	r := pinnedReader(t, j, "r")
	readOne(t, r)
	maintain(t, j)
	if j.Stats().First != 1 {
		t.Fatalf("records up to %d are removed although a reader pins them", j.Stats().First)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	maintain(t, j)
	if j.Stats().First == 1 {
		t.Error("no segment was removed after the first use")
	}
}
