// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"context"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// config is a configuration of a sink that publishes through the proxy of the queue.
func (q *queue) config() *Config {
	return &Config{
		Addresses: []value.Address{value.Address("amqp://" + q.proxy.Addr())}, VHost: q.vhost, User: rabbitmq.User,
		Password: value.Inline(q.broker.Password), Mechanism: mechanismPlain, Exchange: "amq.topic",
		RoutingKey: "genltestd.{{.Host}}.{{.Family}}.{{.Group}}", Returned: returnedRetry, Persistent: true,
		Type: "{{.Kind}}", AppID: "genltestd", MaxInFlight: 1000, Heartbeat: value.Duration(10 * time.Second),
	}
}

func newSink(t testing.TB, c *Config) *Sink {
	t.Helper()
	return newSinkOf(t, c, sink.Env{})
}

// newSinkOf returns a sink that writes JSON, unless env has another encoder.
func newSinkOf(t testing.TB, c *Config, env sink.Env) *Sink {
	t.Helper()
	if env.Encoder == nil {
		env.Encoder = event.JSON{}
	}
	env.Compile, env.Sink = sinktest.Compile, "test"
	s, err := New(c, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// attempt makes one attempt. The limit only ends a test that would hang, unless the test is
// about it.
func attempt(t testing.TB, s *Sink, events []event.Event, limit time.Duration) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return s.Deliver(ctx, events)
}

// deliver makes attempts until all events are accepted.
func deliver(t testing.TB, s *Sink, events []event.Event) {
	t.Helper()
	for attempts := 0; len(events) > 0; attempts++ {
		n, err := attempt(t, s, events, attemptTimeout)
		if events = events[n:]; err != nil && attempts > 200 {
			t.Fatalf("%d events are left: %v", len(events), err)
		}
	}
}

// mustDeliver makes one attempt, which must accept all events.
func mustDeliver(t testing.TB, s *Sink, events []event.Event) {
	t.Helper()
	if n, err := attempt(t, s, events, attemptTimeout); err != nil {
		t.Fatalf("accepted %d of %d events: %v", n, len(events), err)
	}
}

func TestKind(t *testing.T) {
	b := shared(t)
	sinktest.Run(t, sinktest.Kind{
		Hostile: 5000, Secrets: []string{b.Password},
		New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
			q := newQueue(t, b, nil)
			return newSink(t, q.config()), q
		},
	})
}
