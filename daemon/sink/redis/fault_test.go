// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// within makes an attempt with a limit.
func within(t *testing.T, limit time.Duration, s sink.Sink, events []event.Event) (accepted int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return s.Deliver(ctx, events)
}

// deliverAll makes attempts until all events are accepted.
func deliverAll(t *testing.T, limit time.Duration, s sink.Sink, events []event.Event) (attempts int) {
	t.Helper()
	poll.UntilNil(t, "all events are accepted", func() error {
		attempts++
		n, err := within(t, limit, s, events)
		events = events[n:]
		return err
	})
	return attempts
}

// checkOrder fails the test unless the destination has each event from 1 to n, in order, and at
// most the given number of events again.
func checkOrder(t *testing.T, d sinktest.Destination, n, again int) {
	t.Helper()
	list := d.Stored(t)
	seen := make(map[string]bool)
	for _, e := range list {
		want := sinktest.Events(min(len(seen)+1, n), 1)[0]
		if !seen[e.ID] && e.ID != want.ID() {
			t.Fatalf("event %s instead of %s", e.ID, want.ID())
		}
		seen[e.ID] = true
	}
	if len(seen) != n || len(list) > n+again {
		t.Errorf("the destination has %d events, %d of them different; want %d, and at most %d again", len(list), len(seen), n, again)
	}
}

// Each lost answer repeats at most the events of one attempt.
func TestAnswersAreLost(t *testing.T) {
	long(t)
	s := startServer(t)
	p, c := s.proxied(t)
	k := newSink(t, c)
	const rounds, batch = 5, 50
	for round := range rounds {
		events := sinktest.Events(1+2*round*batch, 2*batch)
		delivers(t, k, 1+2*round*batch, batch)
		p.DropReplies()
		if n, err := within(t, 200*time.Millisecond, k, events[batch:]); n != 0 || err == nil {
			t.Fatalf("accepted %d events without an answer", n)
		}
		for range 5 { // attempts without an answer to AUTH or CLIENT send no events
			if n, err := within(t, 50*time.Millisecond, k, events[batch:]); n != 0 || err == nil {
				t.Fatalf("accepted %d events without an answer", n)
			}
		}
		p.Restore()
		deliverAll(t, 10*time.Second, k, events[batch:])
	}
	checkOrder(t, s, 2*rounds*batch, rounds*batch)
}

// A server that hangs reads the data of each connection when it continues.
func TestServerHangsDuringManyAttempts(t *testing.T) {
	long(t)
	s := startServer(t)
	k := newSink(t, s.config())
	delivers(t, k, 1, 50)
	s.Freeze()
	events := sinktest.Events(51, 50)
	for range 10 {
		if n, err := within(t, 50*time.Millisecond, k, events); n != 0 || err == nil {
			t.Fatalf("accepted %d events of a server that hangs", n)
		}
	}
	s.Thaw()
	deliverAll(t, 10*time.Second, k, events)
	checkOrder(t, s, 100, 50)
}

func TestNetworkIsCutAndSlow(t *testing.T) {
	long(t)
	s := startServer(t)
	p, c := s.proxied(t)
	k := newSink(t, c)
	const batch, batches = 100, 12
	cuts := 0
	for i := range batches {
		switch i % 4 {
		case 1:
			p.Delay(20 * time.Millisecond)
		case 2:
			p.Throttle(1 << 20)
		case 3:
			time.AfterFunc(time.Duration(i)*time.Millisecond, p.Reset)
			cuts++
		}
		deliverAll(t, 10*time.Second, k, sinktest.Events(1+i*batch, batch))
		p.Restore()
	}
	checkOrder(t, s, batch*batches, batch*cuts)
}

// A transaction that has arrived in part is not executed.
func TestConnectionEndsWithinATransaction(t *testing.T) {
	s := startServer(t)
	p, c := s.proxied(t)
	k := newSink(t, c)
	delivers(t, k, 1, 10)
	p.Throttle(10_000)
	if n, err := within(t, 100*time.Millisecond, k, sinktest.Events(11, 1000)); n != 0 || err == nil {
		t.Fatalf("accepted %d events", n)
	}
	p.Reset()
	p.Restore()
	poll.Until(t, "the server has closed the connection", func() bool { return s.info(t, "clients", "connected_clients") == 1 })
	stored(t, s, 10)
	delivers(t, k, 11, 1000)
	stored(t, s, 1010)
}

// An idle connection that the server closes is not a failure.
func TestServerClosesIdleConnections(t *testing.T) {
	s := startServer(t)
	k := newSink(t, s.config())
	for i := range 3 {
		delivers(t, k, 1+i*10, 10)
		s.must(t, "CLIENT", "KILL", "TYPE", "normal")
	}
	s.Restart()
	delivers(t, k, 31, 10)
	stored(t, s, 40)
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/redis.sock"
	s := startServer(t, "--unixsocket", path)
	k := newSink(t, defaulted(value.Address("unix://"+path)))
	delivers(t, k, 1, 10)
	stored(t, s, 10)
}

func TestFieldsAndStreamAreTemplates(t *testing.T) {
	s := startServer(t)
	c := s.config()
	c.Stream, c.IDField, c.EventField = "genltestd:{{.Host}}:{{.Family}}", "event_id", "text"
	c.Fields = []Field{{"host", "{{.Host}}"}, {"both", "{{.Family}}/{{.Group}}"}}
	k := newSink(t, c)
	events := sinktest.Events(1, 1)
	events[0].Host = "web 1"
	if _, err := k.Deliver(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	got := s.entries(t, "genltestd:web_1:genltest")
	if len(got) != 1 || !slices.Equal(slices.Delete(got[0], 3, 4),
		[]string{"event_id", events[0].ID(), "text", "host", "web 1", "both", "genltest/mcgrp"}) {
		t.Errorf("entries: %q", got)
	}
}
