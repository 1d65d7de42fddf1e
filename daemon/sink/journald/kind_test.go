// SPDX-License-Identifier: Apache-2.0

package journald

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

func newSink(t *testing.T, c *Config) *Sink {
	t.Helper()
	s := New(c)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{
		Hostile: 10_000, // the number that journald and journalctl handle in a few seconds
		New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
			server := newServer(t)
			return newSink(t, server.config()), server
		},
	})
}

func deliver(t *testing.T, s *Sink, events ...event.Event) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), events); err != nil {
		t.Fatalf("accepted %d of %d events: %v", n, len(events), err)
	}
}

// awaitEntries waits for n entries, and returns all.
func (s *server) awaitEntries(t *testing.T, n int) (all []map[string]string) {
	t.Helper()
	poll.UntilNil(t, fmt.Sprint(n, " entries in the journal"), func() error {
		if all = s.entries(t); len(all) < n {
			return fmt.Errorf("it has %d", len(all))
		}
		return nil
	})
	return all
}

func TestFieldsInTheJournal(t *testing.T) {
	server := newServer(t)
	config := server.config()
	config.Priority = "notice"
	config.Fields = []Field{{"SITE", "berlin"}, {"NOTE", "two\nlines \xff"}}
	e := sinktest.Events(1, 1)[0]
	e.Message = []byte("\x1b[2Jtwo\nlines=\xff")
	deliver(t, newSink(t, config), e)
	got := server.awaitEntries(t, 1)[0]
	for name := range got {
		if strings.HasPrefix(name, "_") { // journald's own
			delete(got, name)
		}
	}
	want := map[string]string{
		"MESSAGE": string(event.AppendLine(nil, e.Message)), "GENLTEST_MESSAGE_BASE64": base64.StdEncoding.EncodeToString(e.Message),
		"PRIORITY": "5", "MESSAGE_ID": EventID, "SYSLOG_IDENTIFIER": "test-events",
		"SITE": "berlin", "NOTE": "two\nlines \xff",
		"GENLTEST_ID": "6a9155caa46c7dcc-1", "GENLTEST_SEQ": "1", "GENLTEST_KIND": "event",
		"GENLTEST_TIME": "2026-01-02T03:04:05.000000001Z", "GENLTEST_KERNEL_TIME": "2026-01-02T03:04:04.999000001Z",
		"GENLTEST_KERNEL_SEQ": "1", "GENLTEST_LOAD_ID": "0000000000000007",
		"GENLTEST_HOST": "web-1", "GENLTEST_FAMILY": "genltest", "GENLTEST_GROUP": "mcgrp",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

// The entry is larger than the largest datagram.
func TestLargeEntriesAreSentAsMemoryFiles(t *testing.T) {
	server := newServer(t)
	events := sinktest.Events(1, 3)
	large := strings.Repeat("large\n", 100_000)
	events[1].Origin = &event.Origin{Labels: []event.Label{{Name: "note", Value: large}}}
	deliver(t, newSink(t, server.config()), events...)
	for i, entry := range server.awaitEntries(t, 3) {
		want := map[bool]string{true: large}[i == 1]
		if entry["GENLTEST_LABEL_NOTE"] != want || entry["MESSAGE"] != string(events[i].Message) {
			t.Errorf("entry %d has a label of %d bytes and the text %q", i, len(entry["GENLTEST_LABEL_NOTE"]), entry["MESSAGE"])
		}
	}
}

func TestFullQueueBlocksUntilTheContextEnds(t *testing.T) {
	server := newServer(t)
	s := newSink(t, server.config())
	events := sinktest.Events(1, 1000)
	server.Break(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	n, err := s.Deliver(ctx, events)
	if !errors.Is(err, context.DeadlineExceeded) || n >= len(events) || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("a stopped journald has accepted %d events: %v", n, err)
	}
	server.Repair(t)
	deliver(t, s, events[n:]...)
	if all := server.awaitEntries(t, len(events)); len(all) != len(events) {
		t.Errorf("%d entries of %d events", len(all), len(events))
	}
}

// A sender that waits is woken when there is room again.
func TestDeliveryContinuesWhenTheQueueHasRoom(t *testing.T) {
	server := newServer(t)
	s := newSink(t, server.config())
	server.Break(t)
	resume := time.AfterFunc(200*time.Millisecond, func() { server.Repair(t) })
	defer resume.Stop()
	deliver(t, s, sinktest.Events(1, 1000)...)
	if all := server.awaitEntries(t, 1000); len(all) != 1000 {
		t.Errorf("%d entries", len(all))
	}
}

func TestStoppedJournaldIsNotReportedAsFullQueue(t *testing.T) {
	server := newServer(t)
	s := newSink(t, server.config())
	deliver(t, s, sinktest.Events(1, 1)...)
	server.awaitEntries(t, 1)
	server.kill(t)
	for range 2 { // the existing connection, and a closed one
		server.awaitRefusal(t, s)
	}
	server.start(t)
	deliver(t, s, sinktest.Events(2, 1)...)
	server.awaitEntries(t, 2)
}

func (s *server) awaitRefusal(t *testing.T, sink *Sink) {
	t.Helper()
	poll.Until(t, "the socket has disappeared", func() bool {
		_, err := os.Stat(s.socket())
		return err != nil
	})
	if n, err := sink.Deliver(t.Context(), sinktest.Events(2, 1)); err == nil || n != 0 || strings.Contains(err.Error(), "full") {
		t.Errorf("a dead journald has accepted %d events: %v", n, err)
	}
}

// A sink is created before journald may run.
func TestMissingJournaldIsADeliveryError(t *testing.T) {
	s := newSink(t, &Config{Socket: t.TempDir() + "/socket"})
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 1)); n != 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("accepted %d events: %v", n, err)
	}
}
