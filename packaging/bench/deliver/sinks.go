// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// timed records for each event the time between its receipt and its acceptance by the
// sink.
type timed struct {
	sink.Sink
	latencies []time.Duration
}

// Deliver implements sink.Sink.
func (s *timed) Deliver(ctx context.Context, events []event.Event) (int, error) {
	n, err := s.Sink.Deliver(ctx, events)
	now := time.Now()
	for i := range events[:n] {
		s.latencies = append(s.latencies, now.Sub(events[i].Time))
	}
	return n, err
}

// percentiles returns the delays that 50 % and 99 % of the events do not exceed, or 0
// if nothing was timed.
func (s *timed) percentiles() (p50, p99 time.Duration) {
	if s == nil || len(s.latencies) == 0 {
		return 0, 0
	}
	slices.Sort(s.latencies)
	at := func(percent int) time.Duration { return s.latencies[(len(s.latencies)*percent+99)/100-1] }
	return at(50), at(99)
}

// acceptance accepts and discards every event, so it measures only the daemon's own
// part.
type acceptance struct{}

// Deliver implements sink.Sink.
func (acceptance) Deliver(_ context.Context, events []event.Event) (int, error) {
	return len(events), nil
}

// Close implements sink.Sink.
func (acceptance) Close() error { return nil }

// refusal permanently rejects every event, one at a time.
type refusal struct{}

var errRefused = errors.New("400 Bad Request: unknown field in the message")

// Deliver implements sink.Sink.
func (refusal) Deliver(context.Context, []event.Event) (int, error) {
	return 0, sink.Permanent(errRefused)
}

// Close implements sink.Sink.
func (refusal) Close() error { return nil }
