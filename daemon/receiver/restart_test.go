// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
)

func TestBatchOfKilledProcessIsJournaledOnce(t *testing.T) {
	forged := unnumbered(34, "forged")
	forged.Sender = 4711
	left := []genl.Message{
		unregistered(second), unnumbered(34, "a"), forged, unregistered(first), unnumbered(34, "stale"), registered(second), unnumbered(35, "b"),
	}
	for name, test := range map[string]struct {
		assigned, inJournal uint64 // generations
		want                []string
		received            int
	}{
		"killed before the append":          {0, 7, []string{"a", "b"}, 5},
		"killed at the start of the append": {8, 7, []string{"a", "b"}, 5},
		"killed after the append":           {7, 7, nil, 4},
		"killed after another receiver's":   {6, 7, nil, 4},
		"the journal has lost the batch":    {7, 5, []string{"a", "b"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInbox(t)
			batch, err := genl.NewBatch(in.memory, genl.Genltest)
			if err != nil {
				t.Fatal(err)
			}
			batch.Put(left...)
			const batches = 3 // that were in the inbox before
			in.generation.Store(batches)
			in.BeginAppend().Store(test.assigned)
			for generation := range uint64(batches + 2) {
				numbers := (&ledger{Family: 34, Received: generation}).numbers()
				in.SaveSnapshot(generation, encode(make([]byte, snapshotLen(len(numbers))), numbers))
			}
			j := &recorder{generation: test.inJournal}
			// The second run simulates a process that was killed before it received.
			var o Options
			for range 2 {
				o = options(newKernel(genl.FamilyIDs{}), j, in)
				runOnce(t, o)
			}
			if got, want := testutil.ToFloat64(o.Metrics.Received.WithLabelValues(genl.GroupName)), float64(test.received); got != want {
				t.Errorf("received = %v, want %v", got, want)
			}
			if diff := cmp.Diff(test.want, j.texts); diff != "" {
				t.Errorf("journal (-want +got):\n%s", diff)
			}
			if in.Generation() != batches+1 {
				t.Errorf("the inbox is at generation %d, want %d", in.Generation(), batches+1)
			}
		})
	}
}

// runOnce runs a receiver that stops immediately.
func runOnce(t *testing.T, o Options) {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestAccountContinuesIfJournalHasLostItsEnd: a damaged journal recovers fewer generations than
// the inbox has seen.
func TestAccountContinuesIfJournalHasLostItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		f := startWith(t, newKernel(first), &recorder{generation: 5}, in)
		f.send(numbered(34, 77, 1))
		f.send(numbered(34, 77, 2))
		f.want(t, "x", "x")
		f.stop()
		f = startWith(t, newKernel(first), &recorder{generation: 3}, in)
		f.send(numbered(34, 77, 3))
		f.want(t, "x")
		f.stop()
		if got := f.Received(); got != 3 {
			t.Errorf("received = %d, want 3", got)
		}
		if f.journal.generation != 4 {
			t.Errorf("the next batch has the generation %d", f.journal.generation)
		}
	})
}

func TestBatchOfKilledProcessWaitsForBlockedJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		batch, err := genl.NewBatch(in.memory, genl.Genltest)
		if err != nil {
			t.Fatal(err)
		}
		batch.Put(unnumbered(34, "left"))
		in.generation.Store(8)
		numbers := (&ledger{Family: 34}).numbers()
		in.SaveSnapshot(8, encode(make([]byte, snapshotLen(len(numbers))), numbers))
		f := startWith(t, newKernel(first), &recorder{err: unix.ENOSPC}, in)
		time.Sleep(time.Minute)
		if err := f.Blocked(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("Blocked() = %v", err)
		}
		f.send(unnumbered(34, "later"))
		f.journal.mu.Lock()
		f.journal.err = nil
		f.journal.mu.Unlock()
		time.Sleep(time.Second)
		f.want(t, "left", "later")
		if err := f.Blocked(); err != nil {
			t.Errorf("Blocked() = %v after the journal accepted", err)
		}
		f.stop()
		if got := testutil.ToFloat64(f.m.Received.WithLabelValues(genl.GroupName)); got != 2 {
			t.Errorf("received = %v", got)
		}
	})
}

func TestNumbersContinueFromJournalWithoutInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := genl.Multicast{Family: "other", Group: "mcgrp", Message: numbered(34, 78, 99).Data}
		newest := []genl.Message{numbered(34, 77, 10), {Data: genl.AppendMulticast(nil, &other)}}
		f := startWith(t, newKernel(first), &recorder{newest: newest}, newInbox(t))
		f.send(numbered(34, 77, 11), numbered(34, 77, 12))
		f.want(t, "x", "x")
		f.send(numbered(34, 77, 20))
		f.want(t, "x", "x", "7 lost: unexplained 13-19", "x")
		f.stop()
	})
}

// TestUnreadableBatchIsCountedFromSnapshot: the inbox was of another size, and only
// its snapshot is left.
func TestUnreadableBatchIsCountedFromSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t)
		batch, err := genl.NewBatch(in.memory, genl.Genltest)
		if err != nil {
			t.Fatal(err)
		}
		batch.Clear()
		in.generation.Store(8)
		numbers := (&ledger{Family: 34, LoadID: 77, Seq: 10, Received: 10}).numbers()
		in.SaveSnapshot(8, encode(make([]byte, snapshotLen(len(numbers))), numbers))
		f := startWith(t, newKernel(first), &recorder{}, in)
		f.send(numbered(34, 77, 14))
		f.want(t, "3 lost: not_subscribed 11-13", "x") // the fake kernel opens a new socket
		f.stop()
		if got := testutil.ToFloat64(f.m.Received.WithLabelValues(genl.GroupName)); got != 11 {
			t.Errorf("received = %v, want 11", got)
		}
	})
}
