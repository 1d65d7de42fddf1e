// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"
	"math/rand"
	"path"
	"slices"
	"testing"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestRandomDamage: bit flips and truncations at any offset never create a record that was not
// appended, lose only the records that they affect, and never make Open fail.
func TestRandomDamage(t *testing.T) {
	clean, texts := healthyJournal(t, true)
	unclean, _ := healthyJournal(t, false)
	rng := rand.New(rand.NewSource(7))
	for i := range scale(10_000, 500_000) {
		fs := clean.Clone()
		if i%2 == 0 {
			fs = unclean.Clone()
		}
		label, frames := damageRandomly(fs, rng)
		checkRandomDamage(t, fs, texts, fmt.Sprintf("round %d: %s", i, label), frames)
		if t.Failed() {
			return
		}
	}
}

// damageRandomly makes up to four changes, and returns the maximum number of affected frames.
func damageRandomly(fs *memfs.FS, rng *rand.Rand) (label string, frames int) {
	names := slices.Collect(func(yield func(string) bool) {
		for name := range fs.Names {
			if !yield(name) {
				return
			}
		}
	})
	slices.Sort(names)
	for range 1 + rng.Intn(4) {
		name := names[rng.Intn(len(names))]
		d := fs.Names[name]
		if len(d.Data) == 0 {
			continue
		}
		off := rng.Intn(len(d.Data))
		if rng.Intn(8) > 0 {
			d.Data[off] ^= 1 << rng.Intn(8)
			label += fmt.Sprintf("flip in %s at %d; ", path.Base(name), off)
			frames++
			continue
		}
		d.Data = d.Data[:off]
		label += fmt.Sprintf("cut %s at %d; ", path.Base(name), off)
		frames += healthyBatches
	}
	return label, frames
}

func checkRandomDamage(t *testing.T, fs *memfs.FS, texts map[uint64]string, label string, frames int) {
	t.Helper()
	j, err := Open("/j", manualOptions(fs))
	if err != nil {
		t.Errorf("%s: %v", label, err)
		return
	}
	defer abandon(j)
	r := reader(t, j, "all", FromOldest)
	put(t, j, "new")
	got, _ := drain(t, r)
	if n := len(got); n == 0 || got[n-1] != (textRecord{j.Stats().Last, "new"}) || j.Stats().Last <= healthyRecords {
		t.Errorf("%s: the new record %d did not arrive: %v", label, j.Stats().Last, got)
		return
	}
	got = got[:len(got)-1]
	(&history{texts: texts}).checkRecords(t, label, got)
	if len(got) < healthyRecords-3*frames {
		t.Errorf("%s: %d records are left", label, len(got))
	}
}
