// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/poll"
)

const loadBatch = 50

// A load delivers events in batches, as package delivery does, until stop.
type load struct {
	t      *testing.T
	backed *backend
	stop   context.CancelFunc
	done   chan int // receives the number of accepted events

	failures atomic.Int64 // attempts
}

func startLoad(t *testing.T, b *backend, s *Sink) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{t: t, backed: b, stop: stop, done: make(chan int, 1)}
	go func() {
		accepted := 0
		for ctx.Err() == nil {
			attempt, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			n, err := s.Deliver(attempt, sinktest.Events(accepted+1, loadBatch))
			cancel()
			if sink.Poisoned(err) > 0 {
				t.Errorf("a fault of the network is permanent: %v", err)
			}
			if accepted += n; err != nil {
				l.failures.Add(1)
				time.Sleep(10 * time.Millisecond) // the pause between attempts
			}
		}
		l.done <- accepted
	}()
	return l
}

// awaitProgress waits until n more events are stored.
func (l *load) awaitProgress(n int) {
	l.t.Helper()
	before := len(l.backed.all())
	poll.Until(l.t, "events arrive", func() bool { return len(l.backed.all()) >= before+n })
}

// awaitFailure waits until an attempt fails.
func (l *load) awaitFailure() {
	l.t.Helper()
	before := l.failures.Load()
	poll.Until(l.t, "an attempt fails", func() bool { return l.failures.Load() > before })
}

// finish ends the load and checks every id: each accepted event is stored, in order, and at most
// one batch arrived again for each failed attempt.
func (l *load) finish() {
	l.t.Helper()
	l.stop()
	accepted := <-l.done
	ids := make(map[string]int)
	last, repeated := 0, 0
	for _, r := range l.backed.all() {
		id := plainAttributes(r.Attributes)[recordUID].(string)
		n := int(plainAttributes(r.Attributes)[namespace+"seq"].(int64))
		if ids[id]++; ids[id] > 1 {
			repeated++
		} else if n != last+1 {
			l.t.Fatalf("event %d follows %d", n, last)
		}
		last = max(last, n)
	}
	if last < accepted {
		l.t.Errorf("%d events are accepted, and %d stored", accepted, last)
	}
	if failures := int(l.failures.Load()); repeated > failures*loadBatch {
		l.t.Errorf("%d events have arrived again after %d failed attempts", repeated, failures)
	}
	l.t.Logf("%d events, %d again", accepted, repeated)
}

// The collector is killed under load. It acknowledges after the export, so nothing is lost.
func TestKilledCollector(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	protocols(t, func(t *testing.T, protocol string) {
		r := newRig(t, newBackend(t))
		l := startLoad(t, r.backend, newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol}))
		for range 4 {
			l.awaitProgress(10 * loadBatch)
			r.server.Kill()
			r.server.Restart()
		}
		l.awaitProgress(loadBatch)
		l.finish()
	})
}

func TestFaultyNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	protocols(t, func(t *testing.T, protocol string) {
		r := newRig(t, newBackend(t))
		proxy := faultproxy.New(t, r.address(protocol))
		l := startLoad(t, r.backend, newSink(t, Config{URL: inline("http", proxy.Addr()), Protocol: protocol}))
		for _, fault := range []struct {
			begin      func()
			progresses bool
		}{
			{proxy.Cut, false},
			{proxy.Reset, true},
			{func() { proxy.Delay(20 * time.Millisecond) }, true},
			{func() { proxy.Throttle(50_000) }, true},
			{proxy.Hang, false},
			{r.server.Freeze, false},
		} {
			l.awaitProgress(5 * loadBatch)
			fault.begin()
			if fault.progresses {
				l.awaitProgress(2 * loadBatch)
			} else {
				l.awaitFailure()
			}
			r.server.Thaw()
			proxy.Restore()
		}
		l.awaitProgress(loadBatch)
		l.finish()
	})
}

// Each attempt whose answer is lost arrives again.
func TestLostReplies(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := newRig(t, newBackend(t))
		proxy := faultproxy.New(t, r.address(protocol))
		s := newSink(t, Config{URL: inline("http", proxy.Addr()), Protocol: protocol})
		deliver(t, s, sinktest.Events(1, 1))
		proxy.DropReplies()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.Deliver(ctx, sinktest.Events(2, 2))
			done <- err
		}()
		poll.Until(t, "the events are stored", func() bool { return len(r.all()) == 3 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("events without an answer: %v", err)
		}
		proxy.Restore()
		deliver(t, s, sinktest.Events(2, 2))
		var ids []string
		for _, e := range r.Stored(t) {
			ids = append(ids, e.ID)
		}
		first := sinktest.Events(1, 3)
		want := []string{first[0].ID(), first[1].ID(), first[2].ID(), first[1].ID(), first[2].ID()}
		if !slices.Equal(ids, want) {
			t.Errorf("stored %v", ids)
		}
	})
}
