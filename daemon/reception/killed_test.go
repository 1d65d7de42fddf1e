// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/inbox"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// leaveBatch leaves a batch of one event in an inbox, as a killed process does. assigned is the
// generation that the journal assigned to it, or 0.
func (r *rig) leaveBatch(t *testing.T, f Family, assigned uint64) {
	t.Helper()
	b, _, err := inbox.Open(r.Inboxes.file(f.Target), genl.BatchBytes(f.Target))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := genl.NewBatch(b.Memory(), f.Target)
	if err != nil {
		t.Fatal(err)
	}
	ids := r.kernel.Others[f.Family]
	if f.IsGenltest() {
		ids = r.kernel.IDs
	}
	batch.Put(genl.Message{Data: kernelmsg.EventOf(ids.ID, kernelmsg.Text("left")), Group: ids.Groups[0].ID})
	b.BeginAppend().Store(assigned)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// The configuration was changed while the daemon did not run. The inboxes of all families are
// examined before the first batch is journaled, because that batch may get a generation that was
// assigned before.
func TestBatchesOfAKilledProcessAreJournaledOnceInAnyConfiguration(t *testing.T) {
	all := []Family{genltest, family("alpha"), family("beta"), family("gamma")}
	for n, configured := range [][]Family{all, all[1:], all[:1], {family("beta")}, {}} {
		t.Run(fmt.Sprint("configuration ", n), func(t *testing.T) {
			r := newRig(t)
			r.open(t, all...)
			r.run(t)
			r.stop()
			const recovered = 5
			r.journal.generation = recovered
			for i, assigned := range []uint64{0, recovered + 1, recovered, recovered - 2} {
				r.leaveBatch(t, all[i], assigned)
			}
			for range 2 {
				r.open(t, configured...)
				r.run(t)
				for i, want := range [][]string{{"left"}, {"left"}, nil, nil} {
					name := all[i].Family
					r.awaitRemoval(t, name)
					r.awaitEvents(t, name, want...)
					isConfigured := slices.ContainsFunc(configured, func(f Family) bool { return f.Family == name })
					if file := r.hasInbox(name); file != isConfigured {
						t.Errorf("the inbox of %s exists: %v", name, file)
					}
				}
				r.stop()
			}
		})
	}
}

// The journal must not continue before every inbox is settled: it would use the generation of
// the batch in that inbox again, and a later start would take the batch for journaled.
func TestAnInboxThatCannotBeOpenedPreventsTheStartInAnyConfiguration(t *testing.T) {
	for _, configured := range [][]Family{{family("alpha")}, {family("alpha"), family("beta")}} {
		r := newRig(t)
		r.open(t, configured...)
		r.run(t)
		r.stop()
		file := r.Inboxes.file(genl.Target{Family: "beta"})
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		r.leaveBatch(t, family("beta"), 1)
		if err := errors.Join(os.Rename(file, file+".moved"), os.Mkdir(file, 0o700)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(configured, r.options(t))
		if err == nil || !strings.Contains(err.Error(), "beta") || !strings.Contains(err.Error(), file) {
			t.Fatalf("with %d families: got %v", len(configured), err)
		}
		if got := r.metricFamilies(t); len(got) > 0 {
			t.Errorf("with %d families: metrics of %q are left", len(configured), got)
		}
		if err := errors.Join(os.Remove(file), os.Rename(file+".moved", file)); err != nil {
			t.Fatal(err)
		}
		r.open(t, configured...)
		r.run(t)
		r.awaitEvents(t, "beta", "left")
		r.stop()
	}
}
