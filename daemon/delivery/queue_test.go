// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
)

// newBlocked returns a sink whose attempts last until the channel is closed.
func newBlocked() (s *target, release chan struct{}) {
	release = make(chan struct{})
	return &target{answer: func(events []event.Event) (int, error) {
		<-release
		return len(events), nil
	}}, release
}

func checkSizes(t *testing.T, s *target, want ...int) {
	t.Helper()
	if diff := cmp.Diff(want, s.sizes); diff != "" {
		t.Errorf("events in each attempt (-want +got):\n%s", diff)
	}
}

func TestNextBatchIsFilledWhileOneIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		f.appendBatch(t, slices.Repeat([][]byte{{1}}, 25)...)
		synctest.Wait()
		if state := f.State(); state.InFlight != 20 || state.Waiting != 5 {
			t.Errorf("%d events in flight and %d waiting, want two batches and the rest", state.InFlight, state.Waiting)
		}
		close(release)
		f.finish(t, s, 25)
		checkSizes(t, s, 10, 10, 5)
	})
}

// Otherwise a busy sink would receive smaller batches.
func TestBatchGrowsUntilTheSenderIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newBlocked()
		f := start(t, open(t, 1<<20), nil, s)
		for range 4 {
			f.append(t, 1)
			synctest.Wait()
		}
		close(release)
		f.finish(t, s, 4)
		checkSizes(t, s, 1, 3)
	})
}

// No event arrives that would make the worker look for letters.
func TestReplayOfManyLettersNeedsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{}
		f := start(t, open(t, 1<<20), nil, s)
		f.box.mu.Lock()
		for _, n := range numbers(1, 25) {
			f.box.marked = append(f.box.marked, deadletter.Letter{ID: deadletter.ID{Journal: f.j.ID(), Seq: n}})
		}
		f.box.mu.Unlock()
		f.Replay()
		synctest.Wait()
		f.finish(t, s, 25)
		checkSizes(t, s, 10, 10, 5)
	})
}
