// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// A load delivers numbered events in the background, as delivery does, until it is stopped: a fault
// that waits for its turn finds events to deliver.
type load struct {
	accepted atomic.Int64
	failures atomic.Int64
	refused  atomic.Int64
	last     atomic.Value // the last error
	stopping atomic.Bool
	done     chan struct{}
}

// loadBatch is the number of events of an attempt.
const loadBatch = 250

func startLoad(t *testing.T, s *Sink, limit time.Duration) *load {
	l := &load{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		events := sinktest.Events(1, loadBatch)
		for next := 1; t.Context().Err() == nil; {
			n, err := attempt(t, s, events, limit)
			next += n
			l.accepted.Add(int64(n))
			if sink.Poisoned(err) > 0 {
				l.refused.Add(1)
			}
			if err != nil {
				l.failures.Add(1)
				l.last.Store(err.Error())
				time.Sleep(20 * time.Millisecond) // the pause of delivery
			}
			if events = events[n:]; len(events) > 0 {
				continue
			}
			if l.stopping.Load() {
				return
			}
			events = sinktest.Events(next, loadBatch)
		}
	}()
	return l
}

func (l *load) awaitAccepted(t *testing.T, n int) {
	t.Helper()
	l.await(t, "events are accepted", func() bool { return l.accepted.Load() >= int64(n) })
}

func (l *load) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	poll.UntilNil(t, what, func() error {
		if condition() {
			return nil
		}
		return fmt.Errorf("%d accepted, %d failures: %v", l.accepted.Load(), l.failures.Load(), l.last.Load())
	})
}

// awaitFailure begins a fault again and again until an attempt fails: no attempt may notice a reset
// of the connection between two attempts.
func (l *load) awaitFailure(t *testing.T, fault func()) {
	t.Helper()
	before := l.failures.Load()
	l.await(t, "an attempt fails", func() bool {
		fault()
		return l.failures.Load() > before
	})
}

// check ends the load. Each event has arrived, in order; each failure can repeat the events in flight.
func (l *load) check(t *testing.T, q *queue) {
	t.Helper()
	l.stopping.Store(true)
	l.await(t, "the load has ended", func() bool {
		select {
		case <-l.done:
			return true
		default:
			return false
		}
	})
	events := sinktest.Events(1, int(l.accepted.Load()))
	got, again := q.storedIDs(t)
	if strings.Join(got, " ") != strings.Join(ids(events), " ") || l.refused.Load() > 0 {
		t.Errorf("%d of %d events arrived in order, %d were refused", len(got), len(events), l.refused.Load())
	}
	if most := loadBatch * int(l.failures.Load()); again > most {
		t.Errorf("%d events arrived again after %d failures", again, l.failures.Load())
	}
	t.Logf("%d events, %d failures, %d events arrived again", len(events), l.failures.Load(), again)
}

// A confirm means that the message is on the disk of the broker.
func TestKilledBrokerLosesNothingConfirmed(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	l := startLoad(t, newSink(t, q.config()), 2*time.Second)
	l.awaitAccepted(t, 2000)
	l.awaitFailure(t, sync.OnceFunc(b.Kill))
	b.Restart()
	q.declare(t, nil) // RabbitMQ 3.10 sometimes loses the binding, and returns the messages
	l.check(t, q)
}

func TestFaultyNetworkUnderLoad(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	l := startLoad(t, newSink(t, q.config()), 300*time.Millisecond)
	for _, fault := range []struct {
		begin func()
		fails bool
	}{
		{q.proxy.Reset, true},
		{q.proxy.Cut, true},
		{q.proxy.DropReplies, true},
		{q.proxy.Hang, true},
		{func() { q.proxy.Delay(10 * time.Millisecond) }, false},
		{func() { q.proxy.Throttle(4 << 20) }, false},
	} {
		l.awaitAccepted(t, int(l.accepted.Load())+500)
		if fault.fails {
			l.awaitFailure(t, fault.begin)
		} else {
			fault.begin()
			l.awaitAccepted(t, int(l.accepted.Load())+500)
		}
		q.proxy.Restore()
	}
	l.check(t, q)
}

// A broker that does not read fills the buffers of the kernel, and a write of the library blocks.
func TestBlockedWriteEndsWithTheContext(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	c := q.config()
	s := newSink(t, c)
	events := sinktest.Events(1, 400)
	for i := range events {
		events[i].Message = bytes.Repeat([]byte("x"), 64<<10)
	}
	mustDeliver(t, s, events[:1])
	q.proxy.Hang()
	n, err := attempt(t, s, events[1:], 200*time.Millisecond)
	if n != 0 || err == nil || !strings.Contains(err.Error(), "has not confirmed 399 events") {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	if s.session != nil {
		t.Error("the sink continues with a connection on which a write was interrupted")
	}
	q.proxy.Restore()
	deliver(t, s, events[1:])
	if got, _ := q.storedIDs(t); strings.Join(got, " ") != strings.Join(ids(events), " ") {
		t.Errorf("%d of %d events arrived in order", len(got), len(events))
	}
}

// A frozen broker is noticed without an answer of its kernel: by the heartbeats.
func TestFrozenBrokerIsNoticedByHeartbeats(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	c := q.config()
	c.Heartbeat = value.Duration(time.Second)
	s := newSink(t, c)
	events := sinktest.Events(1, 20)
	mustDeliver(t, s, events[:10])
	b.Freeze()
	defer b.Thaw()
	mustFail(t, s, events[10:], "the connection was lost")
	b.Thaw()
	deliver(t, s, events[10:])
	if got, again := q.storedIDs(t); strings.Join(got, " ") != strings.Join(ids(events), " ") || again > 10 {
		t.Errorf("%d events arrived, and %d of them again", len(got), again)
	}
}
