// SPDX-License-Identifier: Apache-2.0

package window

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

var errDown = errors.New("down")

// A broker keeps the messages in flight, for a test that sets their results.
type broker struct {
	mu      sync.Mutex
	sent    []uint64 // numbers of the events, in the order of Send
	results map[uint64]func(error)
	refuse  uint64 // Send returns an error for this event
}

func (b *broker) send(e *event.Event, m *Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Seq == b.refuse {
		return errDown
	}
	if b.results == nil {
		b.results = make(map[uint64]func(error))
	}
	b.sent = append(b.sent, e.Seq)
	b.results[e.Seq] = m.Done
	return nil
}

func (b *broker) answer(err error, numbers ...uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range numbers {
		b.results[n](err)
	}
}

// takeSent returns what was sent since the last call.
func (b *broker) takeSent() []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	return sent
}

// An attempt is a call of Deliver in its own goroutine.
type attempt struct {
	accepted int
	err      error
	returned bool
	cancel   context.CancelFunc
}

func start(t *testing.T, w *Window, b *broker, events []event.Event) *attempt {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &attempt{cancel: cancel}
	go func() {
		a.accepted, a.err = w.Deliver(ctx, events, b.send)
		a.returned = true
	}()
	synctest.Wait()
	return a
}

func (a *attempt) check(t *testing.T, accepted int, err error) {
	t.Helper()
	synctest.Wait()
	if !a.returned || a.accepted != accepted || !errors.Is(a.err, err) || err == nil && a.err != nil {
		t.Fatalf("returned %v with %d accepted events and %v, want %d and %v", a.returned, a.accepted, a.err, accepted, err)
	}
}

func checkSent(t *testing.T, b *broker, want ...uint64) {
	t.Helper()
	if diff := cmp.Diff(want, b.takeSent()); diff != "" {
		t.Fatalf("sent (-want +got):\n%s", diff)
	}
}

func TestResultsInAnyOrderAreReportedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 4))
		checkSent(t, b, 1, 2, 3, 4)
		b.answer(nil, 4, 2, 1)
		synctest.Wait()
		if a.returned || w.InFlight() != 1 {
			t.Fatalf("returned %v, %d in flight", a.returned, w.InFlight())
		}
		b.answer(nil, 3)
		a.check(t, 4, nil)
		if w.InFlight() != 0 || len(w.kept) != 0 {
			t.Errorf("%d in flight, kept %v", w.InFlight(), w.kept)
		}
	})
}

func TestFailedEventIsSentAgainWithoutThoseAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 5))
		checkSent(t, b, 1, 2, 3, 4, 5)
		b.answer(nil, 1, 4)
		b.answer(sink.Permanent(errDown), 2)
		a.check(t, 1, errDown)
		if sink.Poisoned(a.err) != 1 {
			t.Errorf("the class of %v is lost", a.err)
		}
		b.answer(nil, 3)
		a = start(t, w, b, sinktest.Events(2, 5)) // 3 and 4 are accepted, and 5 is in flight
		checkSent(t, b, 2, 6)
		b.answer(nil, 2, 6)
		synctest.Wait()
		if a.returned {
			t.Fatal("returned before event 5 had a result")
		}
		b.answer(nil, 5)
		a.check(t, 5, nil)
	})
}

func TestMessagesStayInFlightWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 3))
		checkSent(t, b, 1, 2, 3)
		b.answer(nil, 1)
		a.cancel()
		a.check(t, 1, context.Canceled)
		a = start(t, w, b, sinktest.Events(2, 2))
		checkSent(t, b)
		b.answer(nil, 2, 3)
		a.check(t, 2, nil)
	})
}

func TestMessagesOfALostConnectionAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 3))
		checkSent(t, b, 1, 2, 3)
		late := b.results[2]
		w.Fail(errDown)
		a.check(t, 0, errDown)
		a = start(t, w, b, sinktest.Events(1, 3))
		checkSent(t, b, 1, 2, 3)
		b.answer(nil, 1, 3)
		late(nil) // belongs to the lost connection
		synctest.Wait()
		if a.returned || w.InFlight() != 1 {
			t.Fatalf("returned %v, %d in flight", a.returned, w.InFlight())
		}
		b.answer(nil, 2)
		a.check(t, 3, nil)
	})
}

// An attempt does not report a failure that happens before it begins.
func TestMessageThatFailsBetweenAttemptsIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 3))
		a.cancel()
		a.check(t, 0, context.Canceled)
		checkSent(t, b, 1, 2, 3)
		b.answer(sink.Permanent(errDown), 2)
		a = start(t, w, b, sinktest.Events(1, 1)) // without the failed one
		b.answer(nil, 1)
		a.check(t, 1, nil)
		a = start(t, w, b, sinktest.Events(2, 2))
		checkSent(t, b, 2)
		b.answer(nil, 2, 3)
		a.check(t, 2, nil)
	})
}

func TestNothingIsSentAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{Limit: 2}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 5))
		checkSent(t, b, 1, 2)
		b.answer(nil, 1)
		synctest.Wait()
		checkSent(t, b, 3)
		b.answer(errDown, 2)
		a.check(t, 1, errDown)
		checkSent(t, b)
	})
}

func TestEventThatCannotBeSentStopsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{}, &broker{refuse: 3}
		a := start(t, w, b, sinktest.Events(1, 5))
		checkSent(t, b, 1, 2)
		b.answer(nil, 2, 1)
		a.check(t, 2, errDown)
		b.refuse = 0
		a = start(t, w, b, sinktest.Events(3, 3))
		checkSent(t, b, 3, 4, 5)
		b.answer(nil, 3, 4, 5)
		a.check(t, 3, nil)
	})
}

func TestAttemptEndsWhileItWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{Limit: 1}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 2))
		a.cancel()
		a.check(t, 0, context.Canceled)
		checkSent(t, b, 1)
	})
}

// Delivery decides otherwise about an event: it becomes a dead letter, or is dropped by a limit.
func TestEventsThatAreNoLongerDeliveredAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &Window{Limit: 3}, &broker{}
		a := start(t, w, b, sinktest.Events(1, 3))
		b.answer(nil, 3)
		a.cancel()
		a.check(t, 0, context.Canceled)
		a = start(t, w, b, sinktest.Events(10, 3))
		checkSent(t, b, 1, 2, 3, 10, 11, 12)
		b.answer(nil, 1, 2) // without effect
		b.answer(nil, 10, 11, 12)
		a.check(t, 3, nil)
		if w.InFlight() != 0 || len(w.kept) != 0 {
			t.Errorf("%d in flight, kept %v", w.InFlight(), w.kept)
		}
	})
}

func TestDeliverReturnsWhenTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &broker{}
	if n, err := new(Window).Deliver(ctx, sinktest.Events(1, 1), b.send); n != 0 || !errors.Is(err, context.Canceled) || b.sent != nil {
		t.Errorf("accepted %d events, %v, sent %v", n, err, b.sent)
	}
}

// For any results in any order, each accepted event was accepted by the broker, and an event is
// sent again only after it has failed.
func TestAnyHistoryDeliversEachEvent(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			w := &Window{Limit: random.IntN(20)}
			b := &randomBroker{random: random, window: w, accepted: make(map[uint64]int)}
			events := sinktest.Events(1, 300)
			for attempts := 0; len(events) > 0; attempts++ {
				if attempts == 100_000 {
					t.Fatalf("seed %d: %d events are left", seed, len(events))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(20))*time.Millisecond)
				n, err := w.Deliver(ctx, events[:min(len(events), 1+random.IntN(50))], b.send)
				cancel()
				if n == 0 && err == nil {
					t.Fatalf("seed %d: neither progress nor an error", seed)
				}
				b.checkAccepted(t, events[:n])
				events = events[n:]
			}
			synctest.Wait()
			b.wait.Wait()
			for seq, n := range b.accepted {
				if n != 1 {
					t.Errorf("seed %d: event %d was accepted %d times", seed, seq, n)
				}
			}
		})
	}
}

type randomBroker struct {
	window *Window
	wait   sync.WaitGroup

	mu       sync.Mutex
	random   *rand.Rand
	accepted map[uint64]int
	inFlight []uint64
}

func (b *randomBroker) send(e *event.Event, m *Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.random.IntN(30) == 0 {
		return errDown
	}
	seq, delay, fails := e.Seq, time.Duration(b.random.IntN(10))*time.Millisecond, b.random.IntN(10) == 0
	b.inFlight = append(b.inFlight, seq)
	if b.window.Limit > 0 && len(b.inFlight) > b.window.Limit {
		panic("more messages in flight than the limit allows")
	}
	b.wait.Go(func() {
		time.Sleep(delay)
		b.result(seq, fails, m.Done)
	})
	return nil
}

func (b *randomBroker) result(seq uint64, fails bool, done func(error)) {
	b.mu.Lock()
	b.inFlight = slices.DeleteFunc(b.inFlight, func(n uint64) bool { return n == seq })
	err := errDown
	if !fails {
		b.accepted[seq]++
		err = nil
	}
	b.mu.Unlock()
	done(err)
}

func (b *randomBroker) checkAccepted(t *testing.T, events []event.Event) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range events {
		if b.accepted[events[i].Seq] == 0 {
			t.Fatalf("event %d counts as accepted", events[i].Seq)
		}
	}
}

func BenchmarkDeliver(b *testing.B) {
	events, w := sinktest.Events(1, 1000), &Window{}
	b.ReportAllocs()
	for b.Loop() {
		n, err := w.Deliver(b.Context(), events, func(_ *event.Event, m *Message) error { m.Done(nil); return nil })
		if n != len(events) || err != nil {
			b.Fatal(n, err)
		}
	}
}
