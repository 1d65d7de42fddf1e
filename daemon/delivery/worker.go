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
	reader Reader
	decode Decoder
	opts   Options
	log    *slog.Logger

	records []journal.Record
	events  []event.Event
	taken   int // of the records

	mu      sync.Mutex
	claimed uint64            // records past the cursor that the state has as dropped or in flight
	state   metrics.SinkState // Events and Waiting are derived, not kept
}

// A Reader is what the worker needs of a *journal.Reader.
type Reader interface {
	Read(ctx context.Context, records []journal.Record) (n int, skipped uint64, err error)
	Commit(last journal.Record) error
	Backlog() uint64
	Close() error
}

var _ Reader = (*journal.Reader)(nil)

// A Decoder turns a record into an event.
type Decoder func(journal.Record) (event.Event, error)

// NewWorker returns a worker that delivers what reader reads to s, and closes
// both in the end.
func NewWorker(name string, s sink.Sink, reader Reader, decode Decoder, opts Options, log *slog.Logger) *Worker {
	return &Worker{
		sink: s, reader: reader, decode: decode, opts: opts,
		log:     log.With("sink", name),
		records: make([]journal.Record, opts.BatchEvents),
		events:  make([]event.Event, 0, opts.BatchEvents),
		state:   metrics.SinkState{Name: name},
	}
}

// Run delivers until the journal is sealed and everything in it was taken, or
// until the context ends. It then closes sink and reader.
func (w *Worker) Run(ctx context.Context) error {
	w.run(ctx)
	if err := errors.Join(w.sink.Close(), w.reader.Close()); err != nil {
		return fmt.Errorf("close sink %s: %w", w.state.Name, err)
	}
	return nil
}

func (w *Worker) run(ctx context.Context) {
	for failures := 0; ; {
		n, skipped, err := w.reader.Read(ctx, w.records)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			w.log.Error("cannot read the journal; will try again", "error", err)
			if !w.pause(ctx, failures) {
				return
			}
			continue
		}
		failures = 0
		w.begun(w.records[:n], skipped)
		if !w.deliver(ctx, w.events) {
			return
		}
	}
}

// pause waits before another attempt, and reports false when the context ended.
func (w *Worker) pause(ctx context.Context, failures int) bool {
	select {
	case <-time.After(backoff(failures, w.opts.RetryMin, w.opts.RetryMax)):
		return true
	case <-ctx.Done():
		return false
	}
}

// begun decodes a batch and takes it into the account.
func (w *Worker) begun(records []journal.Record, skipped uint64) {
	w.events, w.taken = w.events[:0], 0
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
	w.claimed = skipped + w.state.InFlight
	if skipped > 0 {
		w.log.Error("events dropped: the journal reached its limit before the sink took them", "events", skipped)
	}
}

// deliver tries until the sink has taken all events, and reports false when the
// context ended first.
func (w *Worker) deliver(ctx context.Context, events []event.Event) bool {
	for failures := 0; len(events) > 0; {
		accepted, err := w.attempt(ctx, events)
		w.attempted(events[:accepted], err)
		events = events[accepted:]
		if err == nil {
			failures = 0
			continue
		}
		if accepted > 0 {
			failures = 0
		}
		failures++
		if !w.pause(ctx, failures) {
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

// attempted takes an attempt into the account, and the cursor past what the sink
// has taken. A failing sink is logged when what it says changes, not at each
// attempt.
func (w *Worker) attempted(taken []event.Event, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.state.LastError
	w.state.Delivered += uint64(len(taken))
	w.state.InFlight -= uint64(len(taken))
	w.state.LastError = err
	w.taken += len(taken)
	if len(taken) > 0 {
		if err := w.reader.Commit(w.records[w.taken-1]); err != nil {
			w.log.Error("cannot write the cursor; after a crash events would be delivered again", "error", err)
		}
		w.claimed = w.state.InFlight
	}
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
	if backlog := w.reader.Backlog(); backlog > w.claimed {
		s.Waiting = backlog - w.claimed
	}
	s.Events = s.Delivered + s.Dropped + s.InFlight + s.Waiting
	return s
}
