// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

// minPart is the number of records of a part, unless it is the last one. Smaller parts cost more
// requests and wake-ups than they save time.
const minPart = 2500

// errBehind is the result of a record that was not sent. The error of an earlier one is returned.
var errBehind = errors.New("an earlier record was not accepted")

// send sends those of the events that were not accepted yet. It sends them in parts: while the
// brokers store one part, it encodes the next one. A slower broker makes the parts larger, so that
// fewer round trips are necessary.
func (s *Sink) send(ctx context.Context, events []event.Event) (accepted int, err error) {
	s.slab.reset(len(events))
	s.window.Sent = func() { s.produce(ctx, len(s.slab.records)) }
	defer func() { s.window.Sent = nil }()
	return s.window.Deliver(ctx, events, func(e *event.Event, m *window.Message) error { return s.add(ctx, e, m) })
}

// add encodes an event, and ends the part if the brokers are idle.
func (s *Sink) add(ctx context.Context, e *event.Event, m *window.Message) error {
	size, err := s.encoder.add(&s.slab, e)
	if err != nil {
		return err
	}
	s.slab.bind(m)
	n := len(s.slab.records)
	s.slab.size += size
	if n-s.slab.produced >= minPart && s.isFlushed() {
		s.produce(ctx, n)
	}
	return nil
}

// produce passes the records before an index to the client and makes it send them, after all
// earlier ones were accepted. If they were not, it ends the records without sending them.
func (s *Sink) produce(ctx context.Context, end int) {
	first := s.slab.produced
	if first == end {
		return
	}
	err := s.awaitFlush(ctx)
	if err == nil && s.slab.failed {
		err = errBehind
	}
	part, size := s.slab.messages[first:end], s.slab.size
	s.slab.produced, s.slab.size = end, 0
	if err != nil {
		s.window.Results(len(part), func(i int) (*window.Message, error) { return part[i].of, err })
		return
	}
	s.slab.chained = size > s.encoder.limit
	s.slab.pending.Add(len(part))
	for i := first; i < end; i++ {
		s.client.Produce(context.Background(), &s.slab.records[i], produced)
	}
	s.flush(part)
}

// produced is called by the client with the result of a record.
func produced(r *kgo.Record, err error) {
	m := r.Context.(*message)
	m.err = err
	m.slab.pending.Done()
}

// flush makes the client send a part, until each record has a result. It returns at once.
func (s *Sink) flush(part []message) {
	client, flushed := s.client, make(chan struct{})
	s.flushed = flushed
	go func() {
		defer close(flushed)
		_ = client.Flush(context.Background()) // fails only with its context
		s.slab.pending.Wait()
		s.window.Results(len(part), func(i int) (*window.Message, error) {
			s.slab.failed = s.slab.failed || part[i].err != nil
			return part[i].of, part[i].err
		})
	}()
}

// isFlushed reports whether each record that the client has received has a result.
func (s *Sink) isFlushed() bool {
	if s.flushed == nil {
		return true
	}
	select {
	case <-s.flushed:
		s.flushed = nil
		return true
	default:
		return false
	}
}

// awaitFlush waits until isFlushed.
func (s *Sink) awaitFlush(ctx context.Context) error {
	if s.isFlushed() {
		return nil
	}
	select {
	case <-s.flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
