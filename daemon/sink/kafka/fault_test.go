// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/poll"
)

// shortAttempt is the time of an attempt that is expected to end without an answer.
const shortAttempt = 2 * time.Second

func deliverFor(t *testing.T, s sink.Sink, events []event.Event, limit time.Duration) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return s.Deliver(ctx, events)
}

// deliverAll delivers events in batches and calls disturb before each. Attempts can end without
// an answer.
func deliverAll(t *testing.T, s sink.Sink, events []event.Event, batch int, disturb func(round int)) {
	t.Helper()
	began := time.Now()
	for round := 0; len(events) > 0; round++ {
		disturb(round)
		n, err := deliverFor(t, s, events[:min(batch, len(events))], shortAttempt)
		if sink.Poisoned(err) > 0 || err != nil && time.Since(began) > time.Minute {
			t.Fatalf("%d events are left: %v", len(events), err)
		}
		events = events[n:]
	}
}

// While the process lives, each event is stored once and in order.
func TestExactlyOnceUnderFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many attempts")
	}
	drop := func(c *cluster) func(int) {
		return func(round int) {
			c.each(map[bool]func(*faultproxy.Proxy){true: (*faultproxy.Proxy).DropReplies, false: (*faultproxy.Proxy).Restore}[round%3 == 1])
		}
	}
	for name, fault := range map[string]func(c *cluster) func(round int){
		"lost connections": func(c *cluster) func(int) { return func(int) { c.each((*faultproxy.Proxy).Reset) } },
		"lost replies":     drop,
		"leader changes":   func(c *cluster) func(int) { return func(int) { c.command(t, "shuffle") } },
		"restarts": func(c *cluster) func(int) {
			return func(round int) {
				if round%5 == 2 {
					c.Restart()
				}
			}
		},
		"all of them": func(c *cluster) func(int) {
			lose := drop(c)
			return func(round int) {
				lose(round)
				c.command(t, "shuffle")
				if round%4 == 3 {
					c.Restart()
				}
				if round%3 == 2 {
					c.each((*faultproxy.Proxy).Reset)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, "-topic", testTopic+":3")
			events := sinktest.Events(1, 3000)
			config := testConfig(c)
			config.MaxMessage = smallBatch
			deliverAll(t, newSink(t, config), events, 200, fault(c))
			c.each((*faultproxy.Proxy).Restore)
			checkOrder(t, c, events)
		})
	}
}

// smallBatch is a limit of messages that makes batches of about thirty events.
const smallBatch = 20_000

// The brokers refuse the first batch of an attempt while others are in flight behind it. They must
// not store these, also later.
func TestNoBatchFollowsARefusedOne(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	config := testConfig(c)
	config.MaxMessage = smallBatch
	s := newSink(t, config)
	events := sinktest.Events(1, 500)
	deliver(t, s, events[:100])
	c.command(t, "fail MESSAGE_TOO_LARGE 1")
	n, err := s.Deliver(t.Context(), events[100:])
	if n != 0 || sink.Poisoned(err) != 400 || !strings.Contains(err.Error(), "MESSAGE_TOO_LARGE") {
		t.Errorf("accepted %d events: %v", n, err)
	}
	if !s.renew {
		t.Error("the producer stays in use")
	}
	checkOrder(t, c, events[:100])
	deliver(t, s, events[100:])
	checkOrder(t, c, events)
}

// The brokers refuse the first part of an attempt while the sink encodes the next one.
func TestNoPartFollowsARefusedOne(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	s := newSink(t, testConfig(c))
	events := sinktest.Events(1, 3*minPart)
	c.command(t, "fail MESSAGE_TOO_LARGE 1")
	if n, err := s.Deliver(t.Context(), events); n != 0 || sink.Poisoned(err) != len(events) {
		t.Errorf("accepted %d events: %v", n, err)
	}
	checkOrder(t, c, nil)
	deliver(t, s, events)
	checkOrder(t, c, events)
}

// An attempt that ends leaves its events in flight. They arrive once, also while no attempt runs.
func TestAttemptWithoutAnAnswerIsContinued(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":3")
	s := newSink(t, testConfig(c))
	events := sinktest.Events(1, 100)
	deliver(t, s, events[:10])
	c.each((*faultproxy.Proxy).DropReplies)
	if n, err := deliverFor(t, s, events[10:60], shortAttempt); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	c.each((*faultproxy.Proxy).Restore)
	deliver(t, s, events[10:])
	checkOrder(t, c, events)
}

// Each error of the table is answered once, or until the attempt ends.
func TestErrorsOfBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the pauses of the client")
	}
	c := startCluster(t, "-topic", testTopic+":1")
	next := 1
	for _, r := range rows() {
		switch r.err.Message {
		case "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE", "INVALID_REQUIRED_ACKS":
			continue // not of a request to produce
		}
		t.Run(r.err.Message, func(t *testing.T) {
			s := newSink(t, testConfig(c))
			events := sinktest.Events(next, 20)
			deliver(t, s, events[:5])
			c.command(t, "fail %s 1", r.err.Message)
			n, err := deliverFor(t, s, events[5:10], 20*time.Second)
			if (err == nil) != (r.verdict == resend) || (sink.Poisoned(err) > 0) != (r.verdict == permanent) {
				t.Errorf("the verdict is %q, and the attempt accepted %d events: %v", r.verdict, n, err)
			}
			if err != nil && !strings.Contains(err.Error(), r.err.Message) {
				t.Errorf("the error does not contain its name: %v", err)
			}
			c.command(t, "clear")
			deliver(t, s, events[5+n:])
			next += len(events)
		})
	}
	checkOrder(t, c, sinktest.Events(1, next-1))
}

// The client retries these errors itself, and an attempt that ends meanwhile names the reason.
func TestReasonOfAnAttemptWithoutAnAnswer(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	const name = "NOT_ENOUGH_REPLICAS"
	s := newSink(t, testConfig(c))
	c.command(t, "fail %s -1", name)
	poll.Until(t, "the error contains "+name, func() bool {
		_, err := deliverFor(t, s, sinktest.Events(1, 5), time.Second)
		if sink.Poisoned(err) > 0 {
			t.Fatal(err)
		}
		return err != nil && strings.Contains(err.Error(), name)
	})
	c.command(t, "clear")
	deliver(t, s, sinktest.Events(1, 5))
	checkOrder(t, c, sinktest.Events(1, 5))
}

func TestTopicThatIsCreatedAgain(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	s := newSink(t, testConfig(c))
	deliver(t, s, sinktest.Events(1, 5))
	c.command(t, "delete %s", testTopic)
	c.command(t, "create %s:1", testTopic)
	events := sinktest.Events(6, 5)
	deliverAll(t, s, events, len(events), func(int) {})
	checkOrder(t, c, events)
}

// The client refuses a name of itself that is too long. The check of the configuration has a lower limit.
func TestErrorOfAClientNamesTheAddress(t *testing.T) {
	c := &Config{
		Addresses: []value.Address{"tcp://127.0.0.1:9", "tcp://127.0.0.2:9"}, Topic: testTopic, Compression: "none",
		ClientID: strings.Repeat("x", 300), SASL: SASL{Mechanism: saslNone}, MaxMessage: 1e6,
	}
	_, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(1, 1))
	if err == nil || sink.Poisoned(err) > 0 || !strings.HasPrefix(err.Error(), "kafka tcp://127.0.0.1:9 and 1 more: create a client: ") {
		t.Errorf("got %v", err)
	}
}
