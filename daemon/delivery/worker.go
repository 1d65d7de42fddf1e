// SPDX-License-Identifier: Apache-2.0

// Package delivery takes events from the journal to the sinks. Each sink has a
// worker and a reader of its own, so a slow or dead sink delays no other.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

// Options are a worker's limits.
type Options struct {
	BatchEvents    int           // most events in one attempt
	AttemptTimeout time.Duration // given to one attempt by its context
	RetryMin       time.Duration // ceiling of the wait after the first failure
	RetryMax       time.Duration // ceiling of any wait
}

// A Worker delivers the journal to one sink: in order, each event until the sink
// has taken it. State may be called at any time, Run once.
type Worker struct {
	sink   sink.Sink
	reader *journal.Reader
	last   func() uint64 // number of the journal's newest record
	decode Decoder
	opts   Options
	log    *slog.Logger

	records []journal.Record
	events  []event.Event

	mu    sync.Mutex
	begin uint64            // number of the newest record when the worker was made
	state metrics.SinkState // Events and Waiting are derived, not kept
}

// A Decoder turns a record into an event.
type Decoder func(journal.Record) (event.Event, error)

// NewWorker returns a worker that follows j from its present end.
func NewWorker(name string, s sink.Sink, j *journal.Journal, decode Decoder, opts Options, log *slog.Logger) *Worker {
	return &Worker{
		sink: s, reader: j.NewReader(), last: j.Last, decode: decode, opts: opts,
		log:     log.With("sink", name),
		records: make([]journal.Record, opts.BatchEvents),
		events:  make([]event.Event, 0, opts.BatchEvents),
		begin:   j.Last(),
		state:   metrics.SinkState{Name: name},
	}
}

// Run delivers until the journal is sealed and everything in it was taken, or
// until the context ends. It then closes the sink.
func (w *Worker) Run(ctx context.Context) error {
	err := w.run(ctx)
	if cerr := w.sink.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("close sink %s: %w", w.state.Name, cerr))
	}
	return err
}

func (w *Worker) run(ctx context.Context) error {
	for {
		n, skipped, err := w.reader.Read(ctx, w.records)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal for sink %s: %w", w.state.Name, err)
		}
		w.begun(w.records[:n], skipped)
		if !w.deliver(ctx, w.events) {
			return nil
		}
		w.reader.Commit(w.records[n-1].Seq)
	}
}

// begun decodes a batch and takes it into the account.
func (w *Worker) begun(records []journal.Record, skipped uint64) {
	w.events = w.events[:0]
	for _, r := range records {
		e, err := w.decode(r)
		if err != nil {
			// The receiver has checked the message, so this is a defect of ours: the
			// event is forwarded with what there is.
			w.log.Error("cannot decode an event", "seq", r.Seq, "error", err)
		}
		w.events = append(w.events, e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Dropped += skipped
	w.state.InFlight = uint64(len(records))
	if skipped > 0 {
		w.log.Error("events dropped: the journal reached its limit before the sink took them", "events", skipped)
	}
}

// deliver tries until the sink has taken all events, and reports false when the
// context ended first.
func (w *Worker) deliver(ctx context.Context, events []event.Event) bool {
	for failures := 0; len(events) > 0; {
		accepted, err := w.attempt(ctx, events)
		events = events[accepted:]
		w.attempted(uint64(accepted), err) //nolint:gosec // a length
		if err == nil {
			failures = 0
			continue
		}
		if accepted > 0 {
			failures = 0
		}
		failures++
		select {
		case <-time.After(backoff(failures, w.opts.RetryMin, w.opts.RetryMax)):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// attempt calls the sink once and holds it to its contract.
func (w *Worker) attempt(ctx context.Context, events []event.Event) (accepted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.opts.AttemptTimeout)
	defer cancel()
	accepted, err = w.sink.Deliver(ctx, events)
	accepted = min(max(accepted, 0), len(events))
	if err == nil && accepted < len(events) {
		err = fmt.Errorf("sink took %d of %d events without an error", accepted, len(events))
	}
	return accepted, err
}

// attempted takes an attempt into the account. A failing sink is logged when
// what it says changes, not at each attempt.
func (w *Worker) attempted(accepted uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.state.LastError
	w.state.Delivered += accepted
	w.state.InFlight -= accepted
	w.state.LastError = err
	switch {
	case err != nil:
		w.state.Failures++
		if before == nil || before.Error() != err.Error() {
			w.log.Error("delivery failed; will try again until it succeeds", "error", err)
		}
	case before != nil:
		w.log.Info("delivery works again")
	}
}

// State returns the account at this moment.
func (w *Worker) State() metrics.SinkState {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state
	s.Events = w.last() - w.begin
	s.Waiting = s.Events - s.Delivered - s.Dropped - s.InFlight
	return s
}
