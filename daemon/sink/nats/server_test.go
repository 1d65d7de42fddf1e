// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

const streamOfTest = "EVENTS"

// A server is a real nats-server with its client for the test.
type server struct {
	*realserver.Server
	address string
	file    string // of the configuration
}

// startServer starts one server with JetStream. lines are added to its configuration.
func startServer(t testing.TB, lines string) *server {
	t.Helper()
	s := &server{address: sinktest.FreeAddress(t), file: filepath.Join(t.TempDir(), "server.conf")}
	s.configure(t, lines)
	s.Server = realserver.Start(t, realserver.Spec{Program: "nats-server", Args: []string{"-c", s.file}, Ready: listens(s.address)})
	return s
}

func (s *server) configure(t testing.TB, lines string) {
	t.Helper()
	if !strings.Contains(lines, "jetstream") {
		lines += "\njetstream { store_dir: \"STORE\" }"
	}
	store := filepath.Join(filepath.Dir(s.file), "store")
	text := fmt.Sprintf("listen: %q\n%s\n", s.address, strings.ReplaceAll(lines, "STORE", store))
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listens returns a function that connects to an address.
func listens(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func (s *server) url() value.Address { return value.Address("nats://" + s.address) }

// client returns a client of the test, which reconnects.
func client(t testing.TB, urls string, options ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := nats.Connect(urls, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// createStream creates the stream of the test, in the form that the sink creates.
func createStream(t testing.TB, js jetstream.JetStream, change func(*jetstream.StreamConfig)) {
	t.Helper()
	c := jetstream.StreamConfig{
		Name: streamOfTest, Subjects: []string{"genltestd.>"}, AllowBatchPublish: true, AllowDirect: true, Duplicates: 2 * time.Minute,
		Discard: jetstream.DiscardNew,
	}
	if change != nil {
		change(&c)
	}
	poll.UntilNil(t, "the stream is created", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.CreateOrUpdateStream(ctx, c)
		return err
	})
}

// config returns the default configuration with these addresses.
func config(addresses ...value.Address) *Config {
	return &Config{
		Addresses: addresses, Mode: modeJetStream, Subject: "genltestd.{{.Host}}.{{.Family}}.{{.Group}}", InboxPrefix: "_INBOX",
		MaxInFlight: 1000, Stream: Stream{Replicas: 1, Storage: "file", Duplicates: value.Duration(10 * time.Minute), Discard: "new"},
	}
}

func newSink(t testing.TB, c *Config) *Sink {
	t.Helper()
	s, err := New(c, sink.Env{Encoder: event.JSON{}, Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// stored returns all messages of the stream, in its order.
func stored(t testing.TB, js jetstream.JetStream) (all []*jetstream.RawStreamMsg) {
	t.Helper()
	poll.UntilNil(t, "the stream is read", func() (err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		all, err = readStream(ctx, js)
		return err
	})
	return all
}

func readStream(ctx context.Context, js jetstream.JetStream) (all []*jetstream.RawStreamMsg, err error) {
	stream, err := js.Stream(ctx, streamOfTest)
	if err != nil {
		return nil, err
	}
	last := stream.CachedInfo().State.LastSeq
	if stream.CachedInfo().State.Msgs == 0 {
		return nil, nil
	}
	consumer, err := js.OrderedConsumer(ctx, streamOfTest, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	for {
		m, err := messages.Next()
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		all = append(all, &jetstream.RawStreamMsg{
			Subject: m.Subject(), Sequence: meta.Sequence.Stream, Header: m.Headers(), Data: m.Data(), Time: meta.Timestamp,
		})
		if meta.Sequence.Stream >= last {
			return all, nil
		}
	}
}

// idsOf returns the numbers of stored events in the order of the stream.
func numbersOf(t testing.TB, messages []*jetstream.RawStreamMsg) (numbers []uint64) {
	t.Helper()
	for _, m := range messages {
		var e struct {
			Seq uint64 `json:"seq"`
		}
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, e.Seq)
	}
	return numbers
}

// checkExactlyOnce reports events that are missing, twice or out of order.
func checkExactlyOnce(t testing.TB, messages []*jetstream.RawStreamMsg, n int) {
	t.Helper()
	numbers := numbersOf(t, messages)
	seen, last, twice, disordered := make(map[uint64]bool), uint64(0), 0, 0
	for i, number := range numbers {
		switch {
		case seen[number]:
			twice++
		case number < last:
			if disordered++; disordered == 1 {
				t.Errorf("at %d: %d follows %d", i, number, last)
			}
		}
		seen[number], last = true, max(last, number)
	}
	if len(seen) != n || twice > 0 || disordered > 0 {
		t.Errorf("%d of %d events are stored, %d twice, %d out of order", len(seen), n, twice, disordered)
	}
}

// deliver delivers all events as delivery does, and returns the errors of failed attempts.
func deliver(t testing.TB, s sink.Sink, events []event.Event) (failures []error) {
	t.Helper()
	limit := time.Now().Add(2 * time.Minute)
	for pause := 10 * time.Millisecond; len(events) > 0; {
		n, err := attempt(t, s, events[:min(len(events), 1000)])
		if events = events[n:]; err == nil {
			pause = 10 * time.Millisecond
			continue
		}
		failures = append(failures, err)
		if sink.Poisoned(err) > 0 || time.Now().After(limit) {
			t.Fatalf("%d events are left: %v", len(events), err)
		}
		time.Sleep(pause)
		pause = min(2*pause, 500*time.Millisecond)
	}
	return failures
}

func attempt(t testing.TB, s sink.Sink, events []event.Event) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.Deliver(ctx, events)
}
