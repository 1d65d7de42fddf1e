// SPDX-License-Identifier: Apache-2.0

// Package redis implements the sink that adds events to Redis streams.
//
// Several events are one transaction, MULTI and EXEC, which the server stores as a whole or not
// at all. Without a transaction, a server at its memory limit could refuse one command and
// execute the next one, which would change the order. An event is accepted when the answer to EXEC has
// arrived, and when the configured number of replicas has acknowledged it.
package redis

import (
	"context"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink adds entries over one connection, which it keeps.
type Sink struct {
	config  *Config
	env     sink.Env
	secrets *redact.Owner
	entry   *entry
	conn    *conn // nil before the first attempt and after a failure
	limit   int   // of the events of the next transaction; 0: no limit
}

// New returns a sink that connects before it first sends.
func New(c *Config, env sink.Env) (*Sink, error) {
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secret of this sink
	}
	e, err := newEntry(c, env)
	if err != nil {
		return nil, err
	}
	s := &Sink{config: c, env: env, entry: e, secrets: env.Mask.NewOwner()}
	_, _ = s.readPassword() // the server may know it from an earlier process
	return s, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	accepted, err = s.confirm(ctx, events)
	for err == nil && accepted < len(events) {
		var n int
		n, err = s.store(ctx, events[accepted:])
		accepted += n
	}
	return accepted, err
}

// store adds events in one transaction, or fewer if the previous one was refused. It returns
// 0 and nil if the next transaction has to be smaller.
func (s *Sink) store(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	defer s.conn.wire.bind(ctx)()
	if s.limit > 0 {
		events = events[:min(s.limit, len(events))]
	}
	sent, invalid := s.write(ctx, events)
	if sent == 0 {
		return 0, invalid
	}
	r := s.read(sent)
	if r.broken != nil {
		s.disconnect()
	}
	switch {
	case r.refusal == "" && r.broken != nil:
		return 0, s.failed(r.broken, ctx.Err())
	case r.refusal != "" && !r.executed && r.stored > 0:
		s.limit = r.stored
		return 0, nil
	}
	s.limit = r.nextLimit(s.limit)
	return s.decide(events[:r.stored], r, invalid)
}

// decide returns the result of a transaction that has stored these events.
func (s *Sink) decide(stored []event.Event, r result, invalid error) (accepted int, err error) {
	if err := s.replicated(stored, r.replicas); err != nil {
		return 0, err
	}
	if r.refusal == "" {
		return len(stored), invalid
	}
	s.disconnect() // the name may lead to another server by now, and the user may have other rights
	return len(stored), s.refused(r.refusal)
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.disconnect()
	s.secrets.Close()
	return nil
}
