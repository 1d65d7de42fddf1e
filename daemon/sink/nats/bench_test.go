// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const benchBatch = 1000

func benchServer(b *testing.B) (*server, jetstream.JetStream) {
	s := startServer(b, "jetstream { store_dir: \"STORE\" }")
	_, js := client(b, string(s.url()))
	createStream(b, js, func(c *jetstream.StreamConfig) {
		c.Duplicates, c.MaxMsgs, c.Discard = time.Second, 100_000, jetstream.DiscardOld
	})
	return s, js
}

// A batch of the benchmark must not consist of duplicates.
func renumber(events []event.Event, from uint64) {
	for i := range events {
		events[i].Seq = from + uint64(i)
	}
}

func BenchmarkDeliver(b *testing.B) {
	server, _ := benchServer(b)
	s := newSink(b, config(server.url()))
	events, next := sinktest.Events(1, benchBatch), uint64(1)
	for b.Loop() {
		renumber(events, next)
		next += benchBatch
		if n, err := s.Deliver(b.Context(), events); err != nil {
			b.Fatalf("accepted %d, %v", n, err)
		}
	}
	b.ReportMetric(benchBatch*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// The fastest publisher of the library, with the same messages.
func BenchmarkLibrary(b *testing.B) {
	server, _ := benchServer(b)
	nc, _ := client(b, string(server.url()))
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		b.Fatal(err)
	}
	s := newSink(b, config(server.url()))
	events, next := sinktest.Events(1, benchBatch), uint64(1)
	for b.Loop() {
		renumber(events, next)
		next += benchBatch
		for i := range events {
			m, err := s.encode.encode(&events[i])
			if err != nil {
				b.Fatal(err)
			}
			clone := nats.NewMsg(m.Subject)
			clone.Data = append([]byte(nil), m.Data...)
			for name := range m.Header {
				clone.Header.Set(name, m.Header.Get(name))
			}
			if _, err := js.PublishMsgAsync(clone); err != nil {
				b.Fatal(err)
			}
		}
	}
	<-js.PublishAsyncComplete()
	b.ReportMetric(benchBatch*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
