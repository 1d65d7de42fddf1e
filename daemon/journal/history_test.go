// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"slices"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// check opens the journal after a crash, and compares it with the last checkpoint before.
func (s *history) check(t *testing.T, label string, fs *memfs.FS, done checkpoint, policy Fsync, powerCut bool) {
	t.Helper()
	opts := manualOptions(fs)
	opts.Fsync = policy
	j, err := Open("/j", opts)
	if err != nil {
		t.Errorf("%s: %v", label, err)
		return
	}
	defer abandon(j)
	if g := j.Recovered(); !powerCut && done.generation > 0 && (g < done.generation || g > done.generation+1) {
		t.Errorf("%s: last generation %d, want %d or one more", label, g, done.generation)
	}
	r := reader(t, j, "r", FromOldest)
	got, skipped := drain(t, r)
	everything, _ := drain(t, reader(t, j, "all", FromOldest))
	s.checkRecords(t, label, everything)

	if !powerCut && skipped > 0 {
		t.Errorf("%s: %d records skipped", label, skipped)
	}
	unsure := uint64(0)
	for seq := range s.texts {
		if seq > done.synced {
			unsure++
		}
	}
	if powerCut && skipped > unsure {
		t.Errorf("%s: %d records counted as lost, want at most %d", label, skipped, unsure)
	}
	// These records must exist unless the reader has committed them.
	until := done.appended
	if powerCut {
		until = done.synced
	}
	for seq, text := range s.texts {
		if seq > done.committing && seq <= until && !slices.Contains(got, textRecord{seq, text}) {
			t.Errorf("%s: record %d is lost (appended %d, synced %d, committed %d)", label, seq, done.appended, done.synced, done.committed)
		}
	}
	for _, rec := range everything {
		if rec.seq > done.committing && !slices.Contains(got, rec) {
			t.Errorf("%s: record %d exists and was not delivered", label, rec.seq)
		}
	}
	if len(got) > 0 && !powerCut && got[0].seq <= done.committed {
		t.Errorf("%s: record %d was delivered again after it was committed", label, got[0].seq)
	}
	if err := j.Append(nil, epoch, batchOf("new")); err != nil {
		t.Errorf("%s: %v", label, err)
	}
	if j.Stats().Last <= done.attempted {
		t.Errorf("%s: number %d was used again, numbers up to %d were used before", label, j.Stats().Last, done.attempted)
	}
	if after, _ := drain(t, r); len(after) != 1 || after[0] != (textRecord{j.Stats().Last, "new"}) {
		t.Errorf("%s: read %v after appending to it", label, after)
	}
}

// checkRecords checks that each record was appended, is unaltered, and occurs once and in order.
func (s *history) checkRecords(t *testing.T, label string, got []textRecord) {
	t.Helper()
	last := uint64(0)
	for _, rec := range got {
		if s.texts[rec.seq] != rec.text && s.failedTexts[rec.seq] != rec.text {
			t.Errorf("%s: record %d is %q, want %q", label, rec.seq, rec.text, s.texts[rec.seq])
		}
		if rec.seq <= last {
			t.Errorf("%s: record %d after %d", label, rec.seq, last)
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
