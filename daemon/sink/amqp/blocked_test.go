// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

func TestBlockedConnectionIsAnError(t *testing.T) {
	b := shared(t)
	for _, a := range rabbitmq.Alarms() {
		t.Run(a.Reason, func(t *testing.T) {
			q := newQueue(t, b, nil)
			s := newSink(t, q.config())
			events := sinktest.Events(1, 400)
			mustDeliver(t, s, events[:10])
			b.Raise(t, a)
			t.Cleanup(func() { b.Clear(t, a) })
			left := untilBlocked(t, s, events[10:], a.Reason)
			before := s.session
			for range 3 {
				n, err := attempt(t, s, left, attemptTimeout)
				if left = left[n:]; err == nil || !strings.Contains(err.Error(), a.Reason) {
					t.Fatalf("accepted %d events: %v", n, err)
				}
			}
			b.Clear(t, a)
			deliver(t, s, left)
			if s.session != before {
				t.Error("the sink has connected again")
			}
			q.check(t, ids(events))
		})
	}
}

// untilBlocked makes attempts until one ends with the reason of an alarm. The broker raises the
// alarm with a delay.
func untilBlocked(t *testing.T, s *Sink, left []event.Event, reason string) []event.Event {
	t.Helper()
	for len(left) > 0 {
		n, err := attempt(t, s, left[:min(20, len(left))], attemptTimeout)
		left = left[n:]
		if err == nil {
			continue
		}
		const want = "the broker has blocked the connection"
		if sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), reason) {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		return left
	}
	t.Fatal("the broker has accepted all events in spite of the alarm")
	return nil
}

// A broker that is blocked does not answer a request to close the connection.
func TestBlockedConnectionIsClosedAtOnce(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	s := newSink(t, q.config())
	alarm := rabbitmq.Alarms()[0]
	q.broker.Raise(t, alarm)
	t.Cleanup(func() { q.broker.Clear(t, alarm) })
	untilBlocked(t, s, sinktest.Events(1, 400), alarm.Reason)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The queue does not answer, but the connection works. Its messages stay in flight.
func TestSlowQueueIsAwaitedInTheNextAttempts(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	s := newSink(t, q.config())
	events := sinktest.Events(1, 50)
	mustDeliver(t, s, events[:10])
	q.suspend(t)
	for range 3 {
		n, err := attempt(t, s, events[10:], 50*time.Millisecond)
		if n != 0 || err == nil || !strings.Contains(err.Error(), "the broker has not confirmed 40 events") {
			t.Fatalf("accepted %d events: %v", n, err)
		}
	}
	q.resume(t)
	mustDeliver(t, s, events[10:])
	q.check(t, ids(events))
}

// A queue that was lost does not confirm its messages, ever.
func TestSilentBrokerIsLeft(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	now := time.Now()
	s := newSinkOf(t, q.config(), sink.Env{Now: func() time.Time { return now }})
	events := sinktest.Events(1, 20)
	mustDeliver(t, s, events[:10])
	q.suspend(t)
	try := func(after time.Duration) *session {
		t.Helper()
		now = now.Add(after)
		if n, err := attempt(t, s, events[10:], 50*time.Millisecond); n != 0 || err == nil {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		return s.session
	}
	first := try(time.Hour)
	if try(0) != first || try(maxSilence-time.Second) != first {
		t.Error("the sink has left the broker too early")
	}
	if try(time.Second) == first {
		t.Error("the sink has not left the silent broker")
	}
	q.resume(t)
	mustDeliver(t, s, events[10:])
	if got, again := q.storedIDs(t); strings.Join(got, " ") != strings.Join(ids(events), " ") || again != 10 {
		t.Errorf("%d events arrived, and %d of them again", len(got), again)
	}
}

// suspend stops the process of the queue.
func (q *queue) suspend(t *testing.T) { q.process(t, "suspend") }
func (q *queue) resume(t *testing.T)  { q.process(t, "resume") }

func (q *queue) process(t *testing.T, operation string) {
	t.Helper()
	q.broker.Call(t, `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<%q>>, queue, <<%q>>)), sys:%s(amqqueue:get_pid(Q))`,
		q.vhost, q.name, operation)
}
