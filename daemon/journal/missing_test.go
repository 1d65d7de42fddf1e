// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestVerifyFindsMissingSegment removes each of the segments.
func TestVerifyFindsMissingSegment(t *testing.T) {
	healthy, _ := healthyJournal(t, true)
	for i := range segmentsIn(healthy) {
		for _, clean := range []bool{true, false} {
			fs, _ := healthyJournal(t, clean)
			if !clean { // as the maintainer of a running daemon does
				j := open(t, "/j", manualOptions(fs))
				firstUse(t, j)
				abandon(j)
			}
			check := func() (found int) {
				_, err := verify.CheckFS(fs, "/j", func(verify.Problem) { found++ }, func(*segment.Frame) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				return found
			}
			if n := check(); n > 0 {
				t.Fatalf("%d problems in a healthy journal", n)
			}
			delete(fs.Names, segmentsIn(fs)[i])
			if check() == 0 {
				t.Errorf("clean %v: segment %d of %d is missing, and Verify does not report it", clean, i, len(segmentsIn(healthy)))
			}
			j := open(t, "/j", manualOptions(fs))
			if missing := j.Stats().Damage.Missing; (i == 0 || i == len(segmentsIn(healthy))-1) && missing != 1 {
				t.Errorf("clean %v: Open counts %d missing segments", clean, missing)
			}
			abandon(j)
		}
	}
}

// TestVerifyAcceptsSegmentsRemovedByRetention: segments that retention removed are not
// missing, even if the process was killed immediately afterwards.
func TestVerifyAcceptsSegmentsRemovedByRetention(t *testing.T) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	fill(t, j, 5)
	firstUse(t, j)
	for range 60 {
		fill(t, j, 1)
		_, err := verify.CheckFS(fs.Clone(), "/j", func(p verify.Problem) { t.Error(p) }, func(*segment.Frame) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}
