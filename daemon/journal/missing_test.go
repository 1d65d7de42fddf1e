// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestVerifyFindsAMissingSegment: wherever it was.
func TestVerifyFindsAMissingSegment(t *testing.T) {
	healthy, _ := patient(t, true)
	for i := range segmentsIn(healthy) {
		for _, clean := range []bool{true, false} {
			fs, _ := patient(t, clean)
			if !clean { // as the maintainer of a running daemon notes it
				j := open(t, "/j", still(fs))
				begin(t, j)
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
				t.Errorf("clean %v: segment %d of %d is missing, and that is not found", clean, i, len(segmentsIn(healthy)))
			}
			j := open(t, "/j", still(fs))
			if missing := j.Stats().Damage.Missing; (i == 0 || i == len(segmentsIn(healthy))-1) && missing != 1 {
				t.Errorf("clean %v: Open counts %d missing segments", clean, missing)
			}
			abandon(j)
		}
	}
}

// TestVerifyExplainsWhatRetentionRemoved: as nothing missing, also when the process was
// killed directly after it.
func TestVerifyExplainsWhatRetentionRemoved(t *testing.T) {
	fs := memfs.New()
	opts := still(fs)
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	fill(t, j, 5)
	begin(t, j)
	for range 60 {
		fill(t, j, 1)
		_, err := verify.CheckFS(fs.Clone(), "/j", func(p verify.Problem) { t.Error(p) }, func(*segment.Frame) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}
