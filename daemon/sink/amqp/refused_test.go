// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"bytes"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// mustFail makes one attempt that accepts no event, and returns its error, which is not
// permanent and contains text.
func mustFail(t *testing.T, s *Sink, events []event.Event, text string) {
	t.Helper()
	n, err := attempt(t, s, events, attemptTimeout)
	if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), text) {
		t.Errorf("accepted %d events: %v, want an error that contains %q", n, err, text)
	}
}

// deliverOrRefuse delivers events as delivery does, and returns the ids of those with a
// permanent error.
func deliverOrRefuse(t *testing.T, s *Sink, events []event.Event) (refused []string, kinds map[sink.RefusalKind]int) {
	t.Helper()
	kinds = make(map[sink.RefusalKind]int)
	for size, attempts := len(events), 0; len(events) > 0; attempts++ {
		n, err := attempt(t, s, events[:min(size, len(events))], attemptTimeout)
		events = events[n:]
		switch suspects := sink.Poisoned(err); {
		case suspects == 1:
			refused = append(refused, events[0].ID())
			kinds[sink.RefusalOf(err).Kind]++
			events, size = events[1:], len(events)
		case suspects > 1:
			size = suspects / 2
		case attempts > 300:
			t.Fatalf("%d events are left: %v", len(events), err)
		}
	}
	return refused, kinds
}

// ids returns the ids of events.
func ids(events []event.Event) (list []string) {
	for i := range events {
		list = append(list, events[i].ID())
	}
	return list
}

// storedIDs returns the ids in the order of their arrival. Those that arrive again are counted.
func (q *queue) storedIDs(t *testing.T) (list []string, again int) {
	t.Helper()
	seen := make(map[string]bool)
	for _, e := range q.Stored(t) {
		if seen[e.ID] {
			again++
			continue
		}
		seen[e.ID] = true
		list = append(list, e.ID)
	}
	return list, again
}

func TestMissingExchangeIsAFaultOfTheConfiguration(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	c := q.config()
	c.Exchange = "later"
	s := newSink(t, c)
	events := sinktest.Events(1, 20)
	mustFail(t, s, events, "404 NOT_FOUND - no exchange 'later'")
	mustFail(t, s, events, "create it, or correct exchange")
	q.do(t, func(ch *amqp091.Channel) error {
		if err := ch.ExchangeDeclare("later", "topic", true, false, false, false, nil); err != nil {
			return err
		}
		return ch.QueueBind(q.name, "#", "later", false, nil)
	})
	mustDeliver(t, s, events)
	q.check(t, ids(events))
}

// check compares what arrived with the events, each exactly once.
func (q *queue) check(t *testing.T, want []string) {
	t.Helper()
	if got, again := q.storedIDs(t); strings.Join(got, " ") != strings.Join(want, " ") || again > 0 {
		t.Errorf("the queue has received %d events, and %d of them again, want %d in order", len(got), again, len(want))
	}
}

func TestUserWithoutPermission(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	q.broker.AddUser(t, "reader", q.broker.Password, q.vhost)
	q.broker.Permit(t, "reader", q.vhost, "nothing")
	c := q.config()
	c.User = "reader"
	s := newSink(t, c)
	events := sinktest.Events(1, 20)
	mustFail(t, s, events, "the user may not write to the exchange; check the permissions and exchange: 403 ACCESS_REFUSED")
	q.broker.Permit(t, "reader", q.vhost, ".*")
	mustDeliver(t, s, events)
	q.check(t, ids(events))
}

// routed returns events of which every third has a host without a queue.
func routed(n int) (events []event.Event, bound, unbound []string) {
	events = sinktest.Events(1, n)
	for i := range events {
		if i%3 == 1 {
			events[i].Host = "nowhere"
			unbound = append(unbound, events[i].ID())
		} else {
			bound = append(bound, events[i].ID())
		}
	}
	return events, bound, unbound
}

// bindHost replaces the binding for all keys by one for a host.
func (q *queue) bindHost(t *testing.T, host string) {
	t.Helper()
	q.do(t, func(ch *amqp091.Channel) error {
		if err := ch.QueueUnbind(q.name, "#", "amq.topic", nil); err != nil {
			return err
		}
		return ch.QueueBind(q.name, "genltestd."+host+".#", "amq.topic", false, nil)
	})
}

// The broker returns some of many messages in flight. Each return belongs to the right event.
func TestReturnedMessages(t *testing.T) {
	b := shared(t)
	for _, returned := range []string{returnedPermanent, returnedDrop} {
		t.Run(returned, func(t *testing.T) {
			q := newQueue(t, b, nil)
			q.bindHost(t, "web-1")
			c := q.config()
			c.Returned = returned
			events, bound, unbound := routed(300)
			refused, kinds := deliverOrRefuse(t, newSink(t, c), events)
			if returned == returnedDrop {
				unbound = nil
			}
			if strings.Join(refused, " ") != strings.Join(unbound, " ") || kinds[sink.RefusedByBroker] != len(unbound) {
				t.Errorf("refused %d events (%v), want %d", len(refused), kinds, len(unbound))
			}
			q.check(t, bound)
		})
	}
}

func TestReturnedMessageIsPublishedAgain(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	q.bindHost(t, "web-1")
	s := newSink(t, q.config())
	events, bound, unbound := routed(30)
	n, err := attempt(t, s, events, attemptTimeout)
	const want = `no queue of exchange "amq.topic" has a binding for the routing key "genltestd.nowhere.genltest.mcgrp"; bind a queue`
	if n != 1 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), want) ||
		!strings.Contains(err.Error(), "312 NO_ROUTE") {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	mustFail(t, s, events[n:], want)
	q.do(t, func(ch *amqp091.Channel) error { return ch.QueueBind(q.name, "#", "amq.topic", false, nil) })
	mustDeliver(t, s, events[n:])
	got, again := q.storedIDs(t)
	if len(got) != len(bound)+len(unbound) || again > 0 {
		t.Errorf("%d of %d events arrived, %d again", len(got), len(events), again)
	}
}

// The broker closes the channel and does not report which message was too large.
func TestTooLargeMessageIsFound(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	s := newSink(t, q.config())
	events := sinktest.Events(1, 60)
	var good []string
	for i := range events {
		if i == 17 || i == 40 {
			events[i].Message = bytes.Repeat([]byte("x"), 1<<20)
			continue
		}
		good = append(good, events[i].ID())
	}
	refused, kinds := deliverOrRefuse(t, s, events)
	if strings.Join(refused, " ") != events[17].ID()+" "+events[40].ID() || kinds[sink.RefusedTooLarge] != 2 {
		t.Errorf("refused %q, %v", refused, kinds)
	}
	if got, _ := q.storedIDs(t); strings.Join(got, " ") != strings.Join(good, " ") {
		t.Errorf("%d events arrived, want %d in order", len(got), len(good))
	}
}

// Headers are sent in one frame, whose size the broker limits.
func TestTooLargeHeadersAreRefused(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	c := q.config()
	c.Headers = []Header{{Name: "text", Value: "{{.Text}}"}}
	events := sinktest.Events(1, 5)
	events[2].Message = bytes.Repeat([]byte("x"), frameSize)
	refused, kinds := deliverOrRefuse(t, newSink(t, c), events)
	if len(refused) != 1 || refused[0] != events[2].ID() || kinds[sink.RefusedTooLarge] != 1 {
		t.Errorf("refused %q, %v", refused, kinds)
	}
	q.check(t, append(ids(events[:2]), ids(events[3:])...))
}

func TestFullQueueRejectsMessages(t *testing.T) {
	q := newQueue(t, shared(t), amqp091.Table{"x-max-length": 10, "x-overflow": "reject-publish"})
	s := newSink(t, q.config())
	events := sinktest.Events(1, 30)
	left := events
	for len(left) > 0 {
		n, err := attempt(t, s, left, attemptTimeout)
		if left = left[n:]; len(left) == 0 {
			break
		}
		if err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "reject-publish") {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		if got := len(q.Stored(t)); got == 0 {
			t.Fatal("the queue is full and empty")
		}
	}
	if got, _ := q.storedIDs(t); len(got) != len(events) {
		t.Errorf("%d events arrived, want %d", len(got), len(events))
	}
}

// A low expiration shows that it reaches the broker.
func TestExpirationAndPriority(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	c := q.config()
	c.Expiration, c.Priority = value.Duration(24*time.Hour), 7
	mustDeliver(t, newSink(t, c), sinktest.Events(1, 1))
	for _, d := range q.deliveries(t) {
		if d.Expiration != "86400000" || d.Priority != 7 || d.DeliveryMode != amqp091.Persistent {
			t.Errorf("expiration %q, priority %d, delivery mode %d", d.Expiration, d.Priority, d.DeliveryMode)
		}
	}
}
