// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A watchedReader calls check before each commit.
type watchedReader struct {
	Reader
	check func(seq uint64)
}

func (r watchedReader) Commit(last journal.Record) error {
	r.check(last.Seq)
	return r.Reader.Commit(last)
}

func TestCursorWaitsForSlowestSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		accepted := map[uint64]bool{}
		var sinks []sink.Sink
		for i := range 5 {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			sinks = append(sinks, &target{answer: func(events []event.Event) (int, error) {
				n := len(events)
				if random.IntN(3) == 0 {
					n = random.IntN(n)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, e := range events[:n] {
					accepted[e.Seq] = true
				}
				if n < len(events) {
					return n, errDown
				}
				return n, nil
			}})
		}
		f := start(t, open(t, 1<<20), func(c *Config) {
			c.Reader = watchedReader{c.Reader, func(seq uint64) {
				mu.Lock()
				defer mu.Unlock()
				for n := range seq {
					if !accepted[n+1] {
						t.Errorf("the cursor has passed %d, but %d was not accepted", seq, n+1)
						return
					}
				}
			}}
		}, sinks...)
		for range 50 {
			f.append(t, 20)
			time.Sleep(50 * time.Millisecond)
		}
		f.j.Seal()
		f.end(t)
		var all []uint64
		used := 0
		for _, s := range sinks {
			s := s.(*target)
			all = append(all, s.accepted...)
			if len(s.accepted) > 0 {
				used++
			}
			if s.closed == 0 {
				t.Error("a sink was not closed")
			}
		}
		slices.Sort(all)
		if diff := cmp.Diff(numbers(1, 1000), all); diff != "" {
			t.Errorf("events accepted (-want +got):\n%s", diff)
		}
		if used < 2 {
			t.Errorf("%d senders were used", used)
		}
		if got := f.State(); got.Delivered != 1000 || got.Events != 1000 {
			t.Errorf("account %+v", got)
		}
	})
}
