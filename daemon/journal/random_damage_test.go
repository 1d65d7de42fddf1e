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

// TestRandomDamage: bit flips and cuts anywhere never create a record that was not appended,
// lose only the records that they touch, and never prevent Open.
func TestRandomDamage(t *testing.T) {
	clean, texts := patient(t, true)
	unclean, _ := patient(t, false)
	rng := rand.New(rand.NewSource(7))
	for i := range scale(10_000, 500_000) {
		fs := clean.Clone()
		if i%2 == 0 {
			fs = unclean.Clone()
		}
		what, frames := hurt(fs, rng)
		randomlyHurt(t, fs, texts, fmt.Sprintf("round %d: %s", i, what), frames)
		if t.Failed() {
			return
		}
	}
}

// hurt damages up to 4 places and returns how many frames that can touch.
func hurt(fs *memfs.FS, rng *rand.Rand) (what string, frames int) {
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
			what += fmt.Sprintf("flip in %s at %d; ", path.Base(name), off)
			frames++
			continue
		}
		d.Data = d.Data[:off]
		what += fmt.Sprintf("cut %s at %d; ", path.Base(name), off)
		frames += patientBatches
	}
	return what, frames
}

func randomlyHurt(t *testing.T, fs *memfs.FS, texts map[uint64]string, what string, frames int) {
	t.Helper()
	j, err := Open("/j", still(fs))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer abandon(j)
	r := reader(t, j, "all", FromOldest)
	put(t, j, 1000, "new")
	got, _ := drain(t, r)
	if n := len(got); n == 0 || got[n-1] != (seen{j.Stats().Last, "new"}) || j.Stats().Last <= patientRecords {
		t.Errorf("%s: the new record %d did not arrive: %v", what, j.Stats().Last, got)
		return
	}
	got = got[:len(got)-1]
	(&story{texts: texts}).checkRecords(t, what, got)
	if len(got) < patientRecords-3*frames {
		t.Errorf("%s: %d records are left", what, len(got))
	}
}
