// SPDX-License-Identifier: Apache-2.0

// Package kafka is the sink that produces events to topics of Kafka.
//
// The producer is idempotent and waits for all in-sync replicas. An event without an answer
// stays in the client over the ends of attempts and connections. The client sends it again
// with the same sequence number, so the brokers store it once.
package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink produces to one cluster.
type Sink struct {
	config  *Config
	env     sink.Env
	encoder *encoder
	secrets *redact.Owner
	holder  holder
	link    *link
	watcher *watcher
	window  window.Window

	client  *kgo.Client   // nil before the first attempt
	renew   bool          // replace the client when nothing is in flight
	flushed chan struct{} // closed when the records of the last part have their results
	slab    slab          // of the last attempt
}

// New returns a sink that connects before it first sends.
func New(c *Config, env sink.Env) (*Sink, error) {
	e, err := newEncoder(c, &env)
	if err != nil {
		return nil, err
	}
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secrets of this sink
	}
	return &Sink{
		config: c, env: env, encoder: e, secrets: env.Mask.NewOwner(), link: newLink(c),
		watcher: &watcher{log: ratelog.New(env.Log), mask: env.Mask},
	}, nil
}

// Deliver implements sink.Sink. It sends new records only when every earlier one has a
// result: see newClient.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	if err := s.connect(); err != nil {
		return 0, err
	}
	accepted, err = s.await(ctx, events)
	if err == nil && accepted < len(events) {
		n := 0
		n, err = s.send(ctx, events[accepted:])
		accepted += n
	}
	switch {
	case err == nil:
		s.watcher.clear()
		return accepted, nil
	case sink.Poisoned(err) > 0: // of the encoder
		return accepted, err
	}
	return accepted, s.failed(ctx, err, len(events)-accepted)
}

// connect creates a client before the first attempt, and if a failure requires another one. It closes
// the connections if a secret or a TLS file has changed.
func (s *Sink) connect() (err error) {
	now, err := s.config.access()
	if err != nil {
		return err
	}
	s.secrets.Set(now.texts()) // before a broker receives them
	before := s.holder.current.Swap(now)
	if s.renew && s.window.InFlight() == 0 {
		s.disconnect()
	}
	if s.client == nil {
		s.client, err = s.newClient()
		return err
	}
	if before != nil && !before.equal(now) {
		s.watcher.clear()
		s.link.closeAll()
	}
	return nil
}

// disconnect closes the client. Nothing must be in flight, or the records may arrive twice.
func (s *Sink) disconnect() {
	if s.client != nil {
		s.client.Close()
		s.client, s.renew = nil, false
	}
}

// errUnsettled stops an attempt at its first new event, while earlier records are in flight.
var errUnsettled = errors.New("earlier records are still in flight")

// await waits for the results of the earlier attempts. It returns the number of leading
// events that were accepted in them.
func (s *Sink) await(ctx context.Context, events []event.Event) (accepted int, err error) {
	if s.isFlushed() {
		return 0, nil
	}
	if s.window.InFlight() > 0 {
		accepted, err = s.window.Deliver(ctx, events, func(*event.Event, *window.Message) error { return errUnsettled })
		if !errors.Is(err, errUnsettled) {
			return accepted, err
		}
	}
	return accepted, s.awaitFlush(ctx)
}

// Close implements sink.Sink. It does not wait for records in flight.
func (s *Sink) Close() error {
	s.disconnect()
	s.secrets.Close()
	return nil
}
