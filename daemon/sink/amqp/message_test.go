// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestPropertiesOfMessages(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	c := q.config()
	c.Headers = []Header{{Name: "host", Value: "{{.Host}}"}, {Name: "length", Value: "{{len .Message}}"}}
	events := sinktest.Events(1, 1)
	events[0].Host = "web-1.example.com"
	mustDeliver(t, newSink(t, c), events)
	list := q.deliveries(t)
	if len(list) != 1 {
		t.Fatalf("%d messages", len(list))
	}
	got := list[0]
	want := amqp091.Delivery{
		Headers: amqp091.Table{"host": "web-1.example.com", "length": "9"}, ContentType: "application/json", DeliveryMode: 2,
		MessageId: events[0].ID(), Timestamp: events[0].Time.Truncate(time.Second), Type: "event", AppId: "genltestd",
		Exchange: "amq.topic", RoutingKey: "genltestd.web-1_example_com.genltest.mcgrp", Body: events[0].AppendJSON(nil),
		DeliveryTag: 1, ConsumerTag: got.ConsumerTag, Acknowledger: got.Acknowledger,
	}
	if !got.Timestamp.Equal(want.Timestamp) {
		t.Errorf("timestamp %v, want %v", got.Timestamp, want.Timestamp)
	}
	want.Timestamp = got.Timestamp
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b amqp091.Acknowledger) bool { return a == b })); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestCloudEventsInBinaryMode(t *testing.T) {
	encoder, err := envelope.New(envelope.Options{
		Kind: envelope.CloudEvents, CloudEvents: envelope.CloudEventsOptions{Binary: true, Source: "/a b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(t, shared(t), nil)
	events := sinktest.Events(1, 1)
	mustDeliver(t, newSinkOf(t, q.config(), sink.Env{Encoder: encoder}), events)
	for _, d := range q.deliveries(t) {
		want := amqp091.Table{
			"cloudEvents_specversion": "1.0", "cloudEvents_source": "/a b", "cloudEvents_id": events[0].ID(),
			"cloudEvents_type": d.Headers["cloudEvents_type"], "cloudEvents_time": "2026-01-02T03:04:05.000000001Z",
			"cloudEvents_sequence": "00000000000000000001",
		}
		if diff := cmp.Diff(want, d.Headers); diff != "" || d.ContentType != "application/json" {
			t.Errorf("content type %s, headers (-want +got):\n%s", d.ContentType, diff)
		}
	}
}

func TestWordsOfRoutingKeys(t *testing.T) {
	for value, want := range map[string]string{
		"": "_", "web-1": "web-1", "a.b": "a_b", "*": "_", "#": "_", "a b\n\x00\x7f": "a_b___", "é": "é", "\xff": "_",
	} {
		if got := string(appendWord([]byte("x."), []byte(value))); got != "x."+want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
}

// A value is always one word, without wildcards.
func FuzzAppendWord(f *testing.F) {
	for _, seed := range []string{"", "web-1.example.com", "*.#", "a b", "\x00\x7f\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got := appendWord([]byte("before."), value)
		word, ok := bytes.CutPrefix(got, []byte("before."))
		if !ok || len(word) != max(len(value), 1) || bytes.ContainsAny(word, ".*# \t\r\n\x00\x7f") {
			t.Errorf("%q is %q", value, got)
		}
	})
}

func TestLongRoutingKeyIsRefused(t *testing.T) {
	q := newQueue(t, shared(t), nil)
	events := sinktest.Events(1, 3)
	events[1].Host = strings.Repeat("x", 250)
	refused, kinds := deliverOrRefuse(t, newSink(t, q.config()), events)
	if len(refused) != 1 || refused[0] != events[1].ID() || kinds[sink.RefusedEncode] != 1 {
		t.Errorf("refused %q, %v", refused, kinds)
	}
	q.check(t, []string{events[0].ID(), events[2].ID()})
}

// The longest values of all properties fit into what headerBytes returns.
func TestHeaderBytesIsAMaximum(t *testing.T) {
	long := strings.Repeat("x", maxShort)
	m := message{publishing: amqp091.Publishing{
		ContentType: long, MessageId: long, AppId: long, Type: long, Expiration: "31536000000", Priority: 255, DeliveryMode: 2,
		Timestamp: time.Unix(1, 0), Headers: amqp091.Table{long: long, "b": ""},
	}}
	// Of the content header: class, weight, size of the body and flags; of each short string
	// its length; of the table its length, and of each entry the lengths, and the type.
	const fixed, shorts, numbers = 2 + 2 + 8 + 2, 5, 1 + 1 + 8
	want := fixed + shorts + numbers + 4*maxShort + len("31536000000") + 4 + 2*(1+1+4) + 2*maxShort + 1
	const frame = 8 // header and end
	if got := m.headerBytes(); got < want+frame {
		t.Errorf("headerBytes = %d, less than %d", got, want+frame)
	}
}
