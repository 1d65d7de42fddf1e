// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A subscriber collects messages.
func subscribe(t *testing.T, s *server) *nats.Subscription {
	t.Helper()
	nc, _ := client(t, string(s.url()))
	sub, err := nc.SubscribeSync("genltestd.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

func receive(t *testing.T, sub *nats.Subscription, n int) (messages []*nats.Msg) {
	t.Helper()
	for range n {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

func TestCoreReachesSubscribers(t *testing.T) {
	server := startServer(t, "")
	sub := subscribe(t, server)
	c := config(server.url())
	c.Mode = modeCore
	s := newSink(t, c)
	events := sinktest.Events(1, 5000)
	for i := 0; i < len(events); i += 1000 {
		deliver(t, s, events[i:i+1000])
	}
	for i, m := range receive(t, sub, len(events)) {
		if got := sinktest.ParseJSON(t, m.Data); got.ID != events[i].ID() || got.Message != string(events[i].Message) {
			t.Fatalf("message %d is %q", i, got)
		}
		if m.Header.Get("Nats-Msg-Id") != events[i].ID() || m.Header.Get("Content-Type") != "application/json" || m.Reply != "" {
			t.Fatalf("headers %v, reply %q", m.Header, m.Reply)
		}
	}
}

// A batch whose end the server has not confirmed counts as not accepted.
func TestCoreConfirmsOnlyWhatTheServerHasRead(t *testing.T) {
	server := startServer(t, "")
	c := config(server.url())
	c.Mode = modeCore
	s := newSink(t, c)
	deliver(t, s, sinktest.Events(1, 10))
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	n, err := s.Deliver(ctx, sinktest.Events(11, 1000))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 {
		t.Errorf("%d accepted by a frozen server, %v", n, err)
	}
	server.Kill()
	if n, err := attempt(t, s, sinktest.Events(11, 1000)); n != 0 || err == nil || sink.Poisoned(err) > 0 {
		t.Errorf("%d accepted by a dead server, %v", n, err)
	}
	server.Restart()
	deliver(t, s, sinktest.Events(11, 1000))
}

func TestCoreRefusesLargeMessagesAlone(t *testing.T) {
	server := startServer(t, "max_payload: 10KiB")
	sub := subscribe(t, server)
	c := config(server.url())
	c.Mode = modeCore
	s := newSink(t, c)
	events := sinktest.Events(1, 20)
	events[7].Message = []byte(strings.Repeat("x", 20_000))
	n, err := attempt(t, s, events)
	if n != 7 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge {
		t.Errorf("%d accepted, %v", n, err)
	}
	deliver(t, s, events[8:])
	receive(t, sub, 19)
}

func TestErrorAboutTheSizeIncludesHeaders(t *testing.T) {
	server := startServer(t, "max_payload: 10KiB")
	c := config(server.url())
	c.Mode, c.Headers = modeCore, []Header{{Name: "Long", Value: strings.Repeat("x", 10<<10)}}
	n, err := attempt(t, newSink(t, c), sinktest.Events(1, 1))
	var size, limit int
	if n != 0 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge {
		t.Fatalf("%d accepted, %v", n, err)
	}
	_, text, _ := strings.Cut(err.Error(), "the headers and the event ")
	if _, err := fmt.Sscanf(text, "have %d bytes; max_payload of the server is %d", &size, &limit); err != nil || size <= limit {
		t.Errorf("%q: %d bytes, limit %d, %v", text, size, limit, err)
	}
}

func TestAttributesAndHeaders(t *testing.T) {
	server := startServer(t, "")
	sub := subscribe(t, server)
	c := config(server.url())
	c.Headers = []Header{{Name: "Host", Value: "{{.Host}}"}, {Name: "Topic", Value: "{{.Family}}/{{.Group}}"}}
	c.Mode = modeCore
	encoder, err := envelope.New(envelope.Options{Kind: envelope.CloudEvents, CloudEvents: envelope.CloudEventsOptions{Binary: true}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(c, sink.Env{Encoder: encoder, Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	events := sinktest.Events(1, 2)
	deliver(t, s, events)
	for i, m := range receive(t, sub, 2) {
		for name, want := range map[string]string{
			"Host": "web-1", "Topic": "genltest/mcgrp", "ce-id": events[i].ID(), "ce-specversion": "1.0", "Nats-Msg-Id": events[i].ID(),
		} {
			if got := m.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}
