// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"slices"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

func (s *story) check(t *testing.T, what string, fs *memfs.FS, done move, policy Fsync, powerCut bool) {
	t.Helper()
	opts := still(fs)
	opts.Fsync = policy
	j, err := Open("/j", opts)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer abandon(j)
	if g := j.LastGeneration(); !powerCut && done.generation > 0 && (g < done.generation || g > done.generation+1) {
		t.Errorf("%s: last generation %d, want %d or one more", what, g, done.generation)
	}
	r := reader(t, j, "r", FromOldest)
	got, skipped := drain(t, r)
	everything, _ := drain(t, reader(t, j, "all", FromOldest))
	s.checkRecords(t, what, everything)

	if !powerCut && skipped > 0 {
		t.Errorf("%s: %d records skipped", what, skipped)
	}
	unsure := uint64(0)
	for seq := range s.texts {
		if seq > done.synced {
			unsure++
		}
	}
	if powerCut && skipped > unsure {
		t.Errorf("%s: %d records counted as lost, at most %d can be", what, skipped, unsure)
	}
	// These records must exist unless the reader has committed them.
	until := done.taken
	if powerCut {
		until = done.synced
	}
	for seq, text := range s.texts {
		if seq > done.committing && seq <= until && !slices.Contains(got, seen{seq, text}) {
			t.Errorf("%s: record %d is lost (taken %d, synced %d, committed %d)", what, seq, done.taken, done.synced, done.committed)
		}
	}
	for _, rec := range everything {
		if rec.seq > done.committing && !slices.Contains(got, rec) {
			t.Errorf("%s: record %d is there and was not delivered", what, rec.seq)
		}
	}
	if len(got) > 0 && !powerCut && got[0].seq <= done.committed {
		t.Errorf("%s: record %d was delivered again after it was committed", what, got[0].seq)
	}
	if err := j.Append(1<<40, epoch, batchOf("new")); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if j.Stats().Last <= done.tried {
		t.Errorf("%s: number %d was used again, up to %d had been", what, j.Stats().Last, done.tried)
	}
	if after, _ := drain(t, r); len(after) != 1 || after[0] != (seen{j.Stats().Last, "new"}) {
		t.Errorf("%s: read %v after appending to it", what, after)
	}
}

// checkRecords holds that nothing is invented, altered, doubled or out of order.
func (s *story) checkRecords(t *testing.T, what string, got []seen) {
	t.Helper()
	last := uint64(0)
	for _, rec := range got {
		if s.texts[rec.seq] != rec.text && s.tries[rec.seq] != rec.text {
			t.Errorf("%s: record %d is %q, want %q", what, rec.seq, rec.text, s.texts[rec.seq])
		}
		if rec.seq <= last {
			t.Errorf("%s: record %d after %d", what, rec.seq, last)
		}
		last = rec.seq
	}
}

// scale returns the size of a random test: soak with GENLTESTD_SOAK set, a quarter of
// usual with -short.
func scale(usual, soak int) int {
	switch {
	case soaking:
		return soak
	case testing.Short():
		return max(1, usual/4)
	}
	return usual
}
