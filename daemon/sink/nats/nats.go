// SPDX-License-Identifier: Apache-2.0

// Package nats implements the sink that publishes to NATS.
//
// # Order and exactly once
//
// A stream stores an event once, because each message has the stable id of its event in the
// header Nats-Msg-Id, and the stream ignores an id that it has stored within its window of
// duplicates.
//
// Many messages in flight alone would not keep the order: at a change of the leader, the server
// refuses or loses a message, and stores later ones. So the sink publishes events in batches of
// the server's protocol for fast ingest (ADR-50, since 2.14): each message has its number in the
// batch, and the stream ends the batch at the first missing one. So the messages that a batch has
// stored are contiguous, from its beginning.
//
// After a failure, and at the start, the sink is in doubt about the events that were in flight. A
// stream that is about to store an event counts it as a stored one within a batch, although this
// copy can still be lost with the leader. So the sink first asks the stream about the next events,
// and opens a batch only when the stream is not about to store one of them. The events in flight
// were contiguous, so the doubt ends with the first event that the stream does not know.
//
// A stream that does not allow batches receives one event at a time, which keeps the order too.
package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink publishes to one cluster, over one connection that it keeps.
type Sink struct {
	config  *Config
	env     sink.Env
	encode  *encoding
	secrets *redact.Owner
	link    *link // nil before the first attempt and after a failure

	// doubt means that the stream can already have the next events, or can be about to store
	// them. It is true at the beginning, because of an earlier process.
	doubt bool
	// alone is the time until which events are published alone, because the stream has refused a
	// batch; zero if it accepts batches.
	alone time.Time
}

// New returns a sink that connects before it first sends.
func New(c *Config, env sink.Env) (*Sink, error) {
	encode, err := newEncoding(c, env)
	if err != nil {
		return nil, err
	}
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secrets of this sink
	}
	s := &Sink{config: c, env: env, encode: encode, secrets: env.Mask.NewOwner(), doubt: true}
	if a, err := c.access(); err == nil { // the server may know the secrets from an earlier process
		s.secrets.Set(a.texts())
	}
	return s, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	defer s.link.bind(ctx)()
	s.link.forget()
	if events[0].Test != nil { // its result is not about the next events
		defer func(doubt bool) { s.doubt = doubt }(s.doubt)
	}
	send := s.publish
	if s.config.Mode == modeCore {
		send = s.publishCore
	}
	for accepted < len(events) && err == nil {
		var n int
		n, err = send(ctx, events[accepted:])
		accepted += n
	}
	return accepted, s.failed(err)
}

// publish publishes some of the events, or creates the stream for them.
func (s *Sink) publish(ctx context.Context, events []event.Event) (accepted int, err error) {
	switch {
	case len(events) == 1 || !s.useBatches():
		accepted, err = s.publishOne(ctx, &events[0])
	case s.doubt:
		accepted, err = s.publishInDoubt(ctx, events)
	default:
		accepted, err = s.publishBatch(ctx, events)
	}
	if !errors.Is(err, errNoResponders) || s.config.Stream.Name == "" {
		return accepted, err
	}
	if created := s.link.createStream(ctx, s.config); created != nil {
		return accepted, errors.Join(err, s.wrap(fmt.Sprintf("create the stream %s at %s", s.config.Stream.Name, s.link.address), created))
	}
	more, err := s.publishOne(ctx, &events[accepted])
	return accepted + more, err
}

// publishInDoubt publishes a batch after questions about its events. If the stream refuses
// batches, it returns no error.
func (s *Sink) publishInDoubt(ctx context.Context, events []event.Event) (accepted int, err error) {
	fresh, err := s.resolve(ctx, events)
	if err != nil || !s.useBatches() {
		return 0, err
	}
	accepted, err = s.publishBatch(ctx, events)
	s.doubt = s.doubt || !fresh
	return accepted, err
}

const (
	// retryBatches is the interval after which a stream that does not allow batches is tried again.
	retryBatches = time.Minute
	// retryBusy is the longest interval after which a stream is tried again that has too many
	// batches at present.
	retryBusy = 5 * time.Second
)

func (s *Sink) useBatches() bool { return s.alone.IsZero() || time.Now().After(s.alone) }

// refuseBatches publishes events alone for a while.
func (s *Sink) refuseBatches(pause time.Duration) {
	s.link.batches, s.alone = batchesRefused, time.Now().Add(pause)
}

// refusedBy is refuseBatches for the time that fits an error. It reports whether the error is a
// reason for that.
func (s *Sink) refusedBy(e *serverError) bool {
	switch {
	case e.row().verdict != alone:
		return false
	case e.Code == tooManyBatches:
		s.refuseBatches(rand.N(retryBusy))
	default:
		s.refuseBatches(retryBatches)
	}
	return true
}

// failed closes a connection that cannot be used again.
func (s *Sink) failed(err error) error {
	switch {
	case err == nil || s.link == nil:
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		s.link.silent = true
	}
	if s.link.conn.IsClosed() || errors.Is(err, nats.ErrPermissionViolation) { // the next one subscribes again
		s.disconnect()
	}
	return err
}

func (s *Sink) disconnect() {
	if s.link != nil {
		s.link.close()
		s.link = nil
	}
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.disconnect()
	s.secrets.Close()
	return nil
}

// publishOne publishes one event and waits for the answer.
func (s *Sink) publishOne(ctx context.Context, e *event.Event) (accepted int, err error) {
	m, err := s.encode.encode(e)
	if err != nil {
		return 0, err
	}
	s.doubt = true
	token := s.link.nextToken()
	send := func() error { return s.link.publish(m, s.link.inbox+token) } // again: a leader that ends loses the message
	err = send()
	var a answer
	if err == nil {
		a, err = s.link.await(ctx, token, send)
	}
	if err == nil && a.reply.Error != nil {
		err = a.reply.Error
	}
	if err != nil {
		return 0, s.explain(m.Subject, err)
	}
	s.doubt = a.reply.Duplicate
	return 1, nil
}

// publishCore publishes the events to the present subscribers. A ping confirms that the server
// has read them.
func (s *Sink) publishCore(ctx context.Context, events []event.Event) (accepted int, err error) {
	var subject string
	for i := range events {
		m, err := s.encode.encode(&events[i])
		if err == nil {
			err = s.link.publish(m, "")
			subject = m.Subject
		}
		if err != nil {
			return s.confirmCore(ctx, subject, i, err)
		}
	}
	return s.confirmCore(ctx, subject, len(events), nil)
}

// confirmCore returns the number of events that the server has read: all n, or 0.
func (s *Sink) confirmCore(ctx context.Context, subject string, n int, cause error) (accepted int, err error) {
	if cause != nil && sink.Poisoned(cause) == 0 {
		return 0, s.explain(subject, cause)
	}
	if err := s.link.conn.FlushWithContext(ctx); err != nil {
		return 0, s.explain(subject, err)
	}
	if err := s.link.conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return 0, s.explain(subject, err)
	}
	return n, cause
}
