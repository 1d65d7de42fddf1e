// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

// A log of the canaries that a worker has reached.
type reached struct {
	mu  sync.Mutex
	all []string
}

func (r *reached) add(text string, latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, fmt.Sprint(text, " ", latency.Truncate(time.Second)))
}

func (r *reached) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.all); diff != "" {
		t.Errorf("canaries (-want +got):\n%s", diff)
	}
}

// withCanaries makes records that begin with "canary" canaries, which the kernel sent a second before
// the receipt.
func withCanaries(r *reached, change func(*Config)) func(*Config) {
	return func(c *Config) {
		decode := c.Decode
		c.Decode = func(record journal.Record) (event.Event, error) {
			e, err := decode(record)
			if e.Canary = strings.HasPrefix(string(e.Message), "canary"); e.Canary {
				e.KernelTime = e.Time.Add(-time.Second)
			}
			return e, err
		}
		c.OnCanary = r.add
		if change != nil {
			change(c)
		}
	}
}

func TestACanaryIsCountedAndNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := &target{}, &reached{}
		f := start(t, open(t, 1<<20), withCanaries(r, nil), s)
		f.appendBatch(t, []byte("canary 1"))
		r.want(t, "canary 1 1s")
		f.append(t, 1)
		f.appendBatch(t, []byte("b"), []byte("canary 2"), []byte("c"))
		r.want(t, "canary 1 1s", "canary 2 1s")
		got := f.State()
		if got.Suppressed[metrics.SuppressedCanary] != 2 || got.Delivered != 3 || got.Events != 5 || sum(got) != got.Events ||
			got.Summaries != 0 || f.Reader.Backlog() != 0 {
			t.Errorf("account %+v", got)
		}
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{2, 3, 5})
	})
}

func TestTheLatencyOfACanaryIncludesTheQueueBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := &target{}, &reached{}
		s.answer = func([]event.Event) (int, error) { return 0, errors.New("down") }
		f := start(t, open(t, 1<<20), withCanaries(r, nil), s)
		f.append(t, 1)
		synctest.Wait()
		f.appendBatch(t, []byte("canary 1"))
		time.Sleep(time.Hour)
		f.appendBatch(t, []byte("canary 2"))
		time.Sleep(time.Hour)
		r.want(t)
		if got := f.State(); got.InFlight+got.Waiting+got.Suppressed[metrics.SuppressedCanary] != 3 || sum(got) != got.Events {
			t.Errorf("account %+v", got)
		}
		s.answers(nil)
		f.Retry()
		time.Sleep(time.Second) // after a failure, the attempts have short pauses
		r.want(t, "canary 2 1h0m1s")
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{1})
	})
}

// An event after the canary, in the same batch, does not delay it.
func TestACanaryIsReachedBeforeLaterEventsOfItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := &target{}, &reached{}
		s.answer = func(events []event.Event) (int, error) {
			if events[0].Seq > 2 {
				return 0, errors.New("down")
			}
			return 1, errors.New("only one")
		}
		f := start(t, open(t, 1<<20), withCanaries(r, nil), s)
		f.appendBatch(t, []byte("a"), []byte("canary 1"), []byte("b"))
		r.want(t, "canary 1 1s")
		s.answers(nil)
		f.Retry()
		f.j.Seal()
		f.end(t)
		wantAccepted(t, s, []uint64{1, 3})
	})
}

func TestACanaryWithSeveralSendersWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast, r := &target{}, &target{}, &reached{}
		for _, s := range []*target{slow, fast} {
			s.answer = func(events []event.Event) (int, error) {
				if events[0].Seq == 1 {
					return 0, errors.New("down")
				}
				return len(events), nil
			}
		}
		f := start(t, open(t, 1<<20), withCanaries(r, func(c *Config) { c.Options.BatchEvents = 1 }), slow, fast)
		f.append(t, 3)
		f.appendBatch(t, []byte("canary 1"))
		r.want(t)
		slow.answers(nil)
		fast.answers(nil)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if len(r.all) != 1 {
			t.Errorf("canaries %v", r.all)
		}
		f.j.Seal()
		f.end(t)
	})
}
