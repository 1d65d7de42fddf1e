// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// fill delivers events until the server refuses one. It returns the number of accepted events.
func fill(t *testing.T, s sink.Sink, answer string) (accepted int) {
	t.Helper()
	for batch := 500; batch > 0; {
		n, err := s.Deliver(t.Context(), sinktest.Events(accepted+1, batch))
		accepted += n
		switch {
		case accepted > 1_000_000:
			t.Fatal("the server has accepted a million events")
		case err == nil:
		case !strings.Contains(err.Error(), answer) || sink.Poisoned(err) > 0:
			t.Fatalf("not the answer %s: %v", answer, err)
		default:
			batch /= 2
		}
	}
	return accepted
}

func TestMemoryLimitIsReachedAndRaised(t *testing.T) {
	s := startServer(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	k := newSink(t, s.config())
	n := fill(t, k, "OOM")
	s.must(t, "CONFIG", "SET", "maxmemory", "2mb") // a buffer of a client that is freed makes room
	refusesWith(t, k, "OOM", "raise `maxmemory`")
	stored(t, s, n)
	s.must(t, "CONFIG", "SET", "maxmemory", "64mb")
	delivers(t, k, n+1, 500)
	stored(t, s, n+500)
}

// The memory of the server is close to the limit all the time: without transactions, the server
// would refuse some commands of a batch and execute later ones.
func TestOrderIsKeptAroundTheMemoryLimit(t *testing.T) {
	long(t)
	s := startServer(t, "--maxmemory-policy", "noeviction", "--appendfsync", "no")
	k := newSink(t, s.config())
	accepted, refusals, limit := 0, 0, s.info(t, "memory", "used_memory")
	s.must(t, "CONFIG", "SET", "maxmemory", limit)
	for accepted < 5000 {
		n, err := k.Deliver(t.Context(), sinktest.Events(accepted+1, 100))
		accepted += n
		if err != nil {
			refusals, limit = refusals+1, limit+50_000
			s.must(t, "CONFIG", "SET", "maxmemory", limit)
		}
	}
	if refusals < 3 {
		t.Errorf("the server has refused %d batches", refusals)
	}
	stored(t, s, accepted)
}

func TestDiskOfTheServerIsFull(t *testing.T) {
	long(t)
	dir := tmpfs.Mount(t, "size=4m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServerIn(t, dir, "--appendonly", "yes", "--appendfsync", "everysec")
	k := newSink(t, s.config())
	n := fill(t, k, "MISCONF")
	refusesWith(t, k, "MISCONF", "make space")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	poll.UntilNil(t, "the server writes to its disk again", func() error { // it tries once a second
		m, err := k.Deliver(t.Context(), sinktest.Events(n+accepted+1, 500-accepted))
		accepted += m
		return err
	})
	stored(t, s, n+500)
}

func TestLargeEventIsAPermanentError(t *testing.T) {
	s := startServer(t, "--proto-max-bulk-len", "1mb")
	k := newSink(t, s.config())
	events := sinktest.Events(1, 5)
	events[3].Message = bytes.Repeat([]byte("x"), 2<<20)
	n, err := k.Deliver(t.Context(), events)
	if n != 3 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	delivers(t, k, 5, 3)
	if n := len(s.entries(t, s.stream)); n != 6 {
		t.Errorf("the server has %d entries", n)
	}
}

// The server stores the events of one stream and refuses those of the other, in one transaction.
func TestOneOfTwoStreamsIsRefused(t *testing.T) {
	s := startServer(t)
	c := s.config()
	c.Stream = "genltestd:{{.Host}}"
	k := newSink(t, c)
	s.must(t, "SET", "genltestd:bad", "text")
	events := sinktest.Events(1, 20)
	for i := range events {
		events[i].Host = []string{"good", "bad"}[i%2]
	}
	n, err := k.Deliver(t.Context(), events)
	if n != 1 || err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	const first = 10 // events for the good stream
	for range 5 {
		if n, err := k.Deliver(t.Context(), events[1:]); n != 0 || err == nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
	}
	if n := len(s.entries(t, "genltestd:good")); n != first {
		t.Errorf("the server has %d entries after five attempts more, want %d", n, first)
	}
	s.must(t, "DEL", "genltestd:bad")
	if n, err := k.Deliver(t.Context(), events[1:]); err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	s.stream = "genltestd:bad"
	checkHosts(t, s, events, "bad", 10)
	s.stream = "genltestd:good"
	checkHosts(t, s, events, "good", first+first-1)
}

// checkHosts checks that the stream has n entries, which are the events of a host in order.
func checkHosts(t *testing.T, s *server, events []event.Event, host string, n int) {
	t.Helper()
	list := s.Stored(t)
	if len(list) != n {
		t.Errorf("stream of %s: %d entries, want %d", host, len(list), n)
	}
	seen := make(map[string]bool)
	var order []string
	for _, e := range list {
		if !seen[e.ID] {
			order = append(order, e.ID)
		}
		seen[e.ID] = true
	}
	for i := range events {
		if events[i].Host != host {
			continue
		}
		if len(order) == 0 || order[0] != events[i].ID() {
			t.Fatalf("stream of %s: event %s is missing or late", host, events[i].ID())
		}
		order = order[1:]
	}
}

func TestStreamIsLimited(t *testing.T) {
	s := startServer(t)
	c := s.config()
	c.MaxLength = 1000
	k := newSink(t, c)
	for i := range 20 {
		delivers(t, k, 1+i*200, 200)
	}
	if n := len(s.entries(t, s.stream)); n < 1000 || n > 1200 {
		t.Errorf("the stream has %d entries", n)
	}
}

func TestOldEntriesAreRemoved(t *testing.T) {
	long(t)
	s := startServer(t)
	for i := range 500 {
		s.must(t, "XADD", s.stream, i+1, "id", "old", "event", "{}")
	}
	c := s.config()
	c.MaxAge = 3_600_000_000_000
	k := newSink(t, c)
	delivers(t, k, 1, 10)
	if n := len(s.entries(t, s.stream)); n < 10 || n > 110 {
		t.Errorf("the stream has %d entries", n)
	}
}
