// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"
	"time"
)

// fill appends n batches of one record that takes about a third of a segment of
// 1,000 bytes.
func fill(t *testing.T, j *Journal, n int) {
	t.Helper()
	for range n {
		put(t, j, j.LastGeneration()+1, string(make([]byte, 240)))
	}
}

func tend(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.tend(); err != nil {
		t.Fatal(err)
	}
}

func commitAll(t *testing.T, r *Reader) {
	t.Helper()
	all, _ := drain(t, r)
	if err := r.Commit(all[len(all)-1].seq); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionWaitsForAllCursors(t *testing.T) {
	fs := newMemFS()
	j := open(t, "/j", still(fs))
	a, b := reader(t, j, "a", FromOldest), reader(t, j, "b", FromOldest)
	fill(t, j, 30)
	commitAll(t, a)
	tend(t, j)
	if j.First() != 1 {
		t.Fatalf("records up to %d were removed before b had them", j.First())
	}
	// The cursor of a reader that is gone counts too.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	tend(t, j)
	if j.First() != 1 {
		t.Fatalf("records up to %d were removed before b had them", j.First())
	}
	b = reader(t, j, "b", FromOldest)
	commitAll(t, b)
	tend(t, j)
	if got := len(fs.segments()); got != 1 {
		t.Errorf("%d segments are left, want the newest", got)
	}
}

func TestRemovedCursorHoldsNothingBack(t *testing.T) {
	fs := newMemFS()
	j := open(t, "/j", still(fs))
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
	tend(t, j)
	if got := len(fs.segments()); got != 1 || len(j.Cursors()) != 1 {
		t.Errorf("%d segments are left, cursors %q", got, j.Cursors())
	}
}

// TestLastGenerationSurvivesRetention: else the inbox of a killed daemon would be
// appended a second time.
func TestLastGenerationSurvivesRetention(t *testing.T) {
	fs := newMemFS()
	j := open(t, "/j", still(fs))
	for round := range uint64(5) {
		r := reader(t, j, "a", FromOldest)
		fill(t, j, 7)
		commitAll(t, r)
		tend(t, j)
		abandon(j)
		j = open(t, "/j", still(fs))
		if got, want := j.LastGeneration(), 7*(round+1); got != want {
			t.Fatalf("last generation %d, want %d", got, want)
		}
	}
}

func TestMaxBytesHolds(t *testing.T) {
	const limit = 4000
	opts := still(newMemFS())
	opts.MaxBytes = limit
	j := open(t, "/j", opts)
	reader(t, j, "a", FromOldest)
	for range 200 {
		fill(t, j, 1)
		if got := j.Bytes(); got > limit {
			t.Fatalf("%d bytes, the limit is %d", got, limit)
		}
	}
	if j.Bytes() < limit/2 {
		t.Errorf("only %d bytes are kept of %d", j.Bytes(), limit)
	}
}

func TestReaderLearnsWhatRetentionTook(t *testing.T) {
	fs := newMemFS()
	opts := still(fs)
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	early, late := reader(t, j, "early", FromOldest), reader(t, j, "late", FromOldest)
	fill(t, j, 5)
	readOne(t, early) // is in the first segment when that is removed
	fill(t, j, 50)
	abandonedAt := j.Count()
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
	if d := j.Damage(); d != (Damage{}) {
		t.Errorf("retention was counted as damage: %+v", d)
	}
	// Also across a stop that leaves a gap in the numbers.
	fill(t, j, 50)
	abandon(j)
	j = open(t, "/j", opts)
	fill(t, j, 50)
	got, skipped := drain(t, reader(t, j, "late", FromOldest))
	if skipped+uint64(len(got)) != j.Count() {
		t.Errorf("after a restart: skipped %d, got %d; want %d in all", skipped, len(got), j.Count())
	}
}

func TestMaxAgeRemovesWhatIsOld(t *testing.T) {
	fs := newMemFS()
	now := epoch
	opts := still(fs)
	opts.MaxAge, opts.Now = time.Hour, func() time.Time { return now }
	j := open(t, "/j", opts)
	reader(t, j, "a", FromOldest)
	put(t, j, 1, "old")
	now = now.Add(30 * time.Minute)
	tend(t, j)
	if j.First() != 1 {
		t.Fatal("removed too early")
	}
	now = now.Add(31 * time.Minute)
	if err := j.Append(2, now, batchOf("new")); err != nil {
		t.Fatal(err)
	}
	tend(t, j)
	if j.First() != 2 || len(fs.segments()) != 1 {
		t.Errorf("first is %d in %q", j.First(), fs.segments())
	}
}
