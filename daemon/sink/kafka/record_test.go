// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// deliver delivers events, which must be accepted.
func deliver(t *testing.T, s sink.Sink, events []event.Event) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), events); err != nil {
		t.Fatalf("accepted %d of %d events: %v", n, len(events), err)
	}
}

func TestRecordHasKeyHeadersAndTime(t *testing.T) {
	c := startCluster(t, "-topic", "events.genltest:3")
	config := testConfig(c)
	config.Topic, config.Key = "events.{{.Family}}", "{{.Host}}/{{.Group}}"
	config.Headers = []Header{{Name: "host", Value: "{{.Host}}"}}
	events := sinktest.Events(1, 3)
	deliver(t, newSink(t, config), events)
	records := c.consume(t, "events.genltest")
	if len(records) != len(events) {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		e := &events[i]
		want := consumed{
			Topic: "events.genltest", Partition: records[0].Partition, Key: "web-1/mcgrp",
			Payload: string(e.AppendJSON(nil)), TS: e.Time.UnixMilli(),
			Headers: []string{"id", e.ID(), "time", string(event.AppendTime(nil, e.Time)), "content-type", "application/json", "host", "web-1"},
		}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	}
}

// The binding of Kafka does not use percent-encoding, unlike that of HTTP.
func TestCloudEventInBinaryMode(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	encoder, err := envelope.New(envelope.Options{
		Kind: envelope.CloudEvents, CloudEvents: envelope.CloudEventsOptions{Binary: true, Source: "/rack é/100%"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(testConfig(c), sink.Env{Encoder: encoder, Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := sinktest.Events(7, 1)
	deliver(t, s, e)
	records := c.consume(t, testTopic)
	if len(records) != 1 || records[0].Payload != string(e[0].AppendJSON(nil)) {
		t.Fatalf("records %v", records)
	}
	for name, want := range map[string]string{
		"ce_specversion": "1.0", "ce_id": e[0].ID(), "ce_source": "/rack é/100%", "ce_type": "com.github.genltestd.event",
		"content-type": "application/json",
	} {
		if got := records[0].header(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
}

func TestRecordAboveTheLimitIsNotSent(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	config := testConfig(c)
	config.MaxMessage = 2000
	s := newSink(t, config)
	events := sinktest.Events(1, 4)
	events[2].Message = []byte(strings.Repeat("x", 3000))
	n, err := s.Deliver(t.Context(), events)
	if n != 2 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge || !strings.Contains(err.Error(), "max_message") {
		t.Errorf("accepted %d events: %v", n, err)
	}
	deliver(t, s, events[3:])
	checkOrder(t, c, slices.Delete(slices.Clone(events), 2, 3))
}

func TestRecordsWithoutAKey(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1")
	config := testConfig(c)
	config.Key, config.Headers = "", []Header{{Name: "host", Value: "{{.Host}}"}}
	events := sinktest.Events(1, 3)
	deliver(t, newSink(t, config), events)
	for _, r := range c.consume(t, testTopic) {
		if r.Key != "" || r.header("host") != "web-1" {
			t.Errorf("key %q, headers %q", r.Key, r.Headers)
		}
	}
	checkOrder(t, c, events)
}

// checkOrder expects exactly these events, in this order, each once.
func checkOrder(t *testing.T, c *cluster, events []event.Event) {
	t.Helper()
	var want, got []string
	for i := range events {
		want = append(want, events[i].ID())
	}
	for _, r := range c.consume(t, testTopic) {
		got = append(got, r.header(headerID))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-want +got):\n%.4000s", diff)
	}
}

// A topic can have a lower limit than max_message. The sink never sends an event out of order
// because of that.
func TestTopicWithALowerLimit(t *testing.T) {
	c := startCluster(t, "-topic", testTopic+":1", "-config", "message.max.bytes=2000")
	s := newSink(t, testConfig(c))
	events := sinktest.Events(1, 200)
	events[57].Message = []byte(strings.Repeat("x", 3000))
	refused := 0
	for left, size := events, len(events); len(left) > 0; {
		n, err := s.Deliver(t.Context(), left[:min(size, len(left))])
		left = left[n:]
		switch poisoned := sink.Poisoned(err); {
		case err == nil:
			size *= 2
		case poisoned == 0 || sink.RefusalOf(err).Kind != sink.RefusedTooLarge:
			t.Fatalf("accepted %d events: %v", n, err)
		case poisoned == 1:
			refused++
			left = left[1:]
		default:
			size = poisoned / 2 // as delivery does
		}
	}
	if refused != 1 {
		t.Errorf("%d events are refused", refused)
	}
	checkOrder(t, c, slices.Delete(slices.Clone(events), 57, 58))
}

func TestUnknownTopicIsRetried(t *testing.T) {
	c := startCluster(t)
	s := newSink(t, testConfig(c))
	events := sinktest.Events(1, 5)
	n, err := deliverFor(t, s, events, shortAttempt)
	if n != 0 || sink.Poisoned(err) != 0 || !strings.Contains(err.Error(), "UNKNOWN_TOPIC_OR_PARTITION") ||
		!strings.Contains(err.Error(), "create_topic") {
		t.Errorf("accepted %d events: %v", n, err)
	}
	c.command(t, "create %s:3", testTopic)
	deliver(t, s, events)
	checkOrder(t, c, events)
}
