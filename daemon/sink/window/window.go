// SPDX-License-Identifier: Apache-2.0

// Package window sends the events of an attempt without waiting for each result, for sinks
// whose other side acknowledges messages one by one. It keeps the messages without a result at
// the end of an attempt, so that the next attempt does not send them again.
package window

import (
	"context"
	"errors"
	"sync"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Window tracks the messages of one sink that are in flight. The zero Window is valid.
// Deliver must not be called concurrently; the other methods are safe for concurrent use.
type Window struct {
	// Limit is the maximum number of messages in flight; 0 means no limit.
	Limit int
	// Sent is called when an attempt has sent its last message, before it waits; it may be nil.
	Sent func()

	mu       sync.Mutex
	pending  int                  // messages without a result
	kept     map[event.Key]*entry // of earlier attempts, pending or accepted
	entries  []*entry             // of the running attempt, in the order of its events
	failed   bool                 // a message of the running attempt has failed
	awaited  *entry               // wakes the running attempt
	wake     chan struct{}
	blocking bool // the running attempt waits for room
}

// An entry is one message that was sent.
type entry struct {
	window  *Window
	running bool  // it belongs to the running attempt
	ended   bool  // the result is known
	err     error // nil if it was accepted
}

// Send starts to send the message of an event. It calls done once with the result: from any
// goroutine, also before it returns. If it returns an error, the message was not sent, and
// done is ignored.
type Send func(e *event.Event, done func(error)) error

// Deliver sends those of the events that are not in flight, in order, and waits for the
// results until ctx ends. It implements the contract of sink.Sink: accepted is the number of
// leading events that were accepted, and err is the error of the next one.
//
// After the first failure it sends no further event. The next attempt sends the failed event
// again, but not the events after it that are in flight, or that were accepted in the meantime.
func (w *Window) Deliver(ctx context.Context, events []event.Event, send Send) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	w.begin(&events[0], len(events))
	stopped := w.send(ctx, events, send)
	if w.Sent != nil {
		w.Sent()
	}
	accepted, err = w.await(ctx)
	if err == nil {
		err = stopped
	}
	w.end(events, accepted)
	return accepted, err
}

// begin forgets events before the first one: delivery has decided about them in another way.
func (w *Window) begin(first *event.Event, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	for key, e := range w.kept {
		if key.JournalID != first.JournalID || key.Seq < first.Seq {
			delete(w.kept, key)
			w.finish(e, errForgotten)
		}
	}
	w.entries, w.failed = make([]*entry, 0, n), false
}

var errForgotten = errors.New("the event is no longer delivered")

// send returns why it has not sent all events.
func (w *Window) send(ctx context.Context, events []event.Event, send Send) error {
	fresh := make([]entry, len(events))
	for i := range events {
		e := &fresh[i]
		e.window = w
		switch ready, err := w.add(ctx, &events[i], e); {
		case err != nil:
			return err
		case !ready:
			continue
		}
		if err := send(&events[i], e.done); err != nil {
			w.withdraw(e)
			return err
		}
	}
	return nil
}

// errBehind stops an attempt after a failure. Deliver returns the failure itself.
var errBehind = errors.New("an earlier event was not accepted")

// add registers the entry of an event. It waits for room. It reports false if the event is in
// flight already.
func (w *Window) add(ctx context.Context, e *event.Event, fresh *entry) (ready bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch before := w.kept[e.Key()]; {
		case w.failed:
			return false, errBehind
		case before != nil && before.err == nil:
			w.join(before)
			return false, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case w.Limit <= 0 || w.pending < w.Limit:
			w.join(fresh)
			w.pending++
			return true, nil
		}
		w.blocking = true
		w.sleep(ctx)
		w.blocking = false
	}
}

func (w *Window) join(e *entry) {
	e.running = true
	w.entries = append(w.entries, e)
}

// withdraw removes the last entry, whose message was not sent.
func (w *Window) withdraw(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(e, errBehind)
	w.entries = w.entries[:len(w.entries)-1]
}

// sleep waits for a change, or for the end of ctx. It releases mu meanwhile.
func (w *Window) sleep(ctx context.Context) {
	w.mu.Unlock()
	select {
	case <-w.wake:
	case <-ctx.Done():
	}
	w.mu.Lock()
}

// await waits for the results of the entries. It returns the number of leading accepted ones,
// and the error of the next entry.
func (w *Window) await(ctx context.Context) (accepted int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for accepted < len(w.entries) && w.entries[accepted].ended && w.entries[accepted].err == nil {
			accepted++
		}
		switch {
		case accepted == len(w.entries):
			return accepted, nil
		case w.entries[accepted].ended:
			return accepted, w.entries[accepted].err
		case ctx.Err() != nil:
			return accepted, ctx.Err()
		}
		w.awaited = w.lastPending(accepted)
		w.sleep(ctx)
		w.awaited = nil
	}
}

// lastPending returns the entry whose result usually is the last. Before a failure it is the
// first one without a result. There is one from index first on.
func (w *Window) lastPending(first int) *entry {
	if w.failed {
		return w.entries[first]
	}
	for i := len(w.entries) - 1; i > first; i-- {
		if !w.entries[i].ended {
			return w.entries[i]
		}
	}
	return w.entries[first]
}

// end keeps the entries of this attempt that the next one must know.
func (w *Window) end(events []event.Event, accepted int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range w.entries {
		e.running = false
		switch key := events[i].Key(); {
		case i < accepted || e.err != nil:
			delete(w.kept, key)
		default:
			w.keep(key, e)
		}
	}
	w.entries = nil
}

func (w *Window) keep(key event.Key, e *entry) {
	if w.kept == nil {
		w.kept = make(map[event.Key]*entry)
	}
	w.kept[key] = e
}

func (e *entry) done(err error) {
	w := e.window
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(e, err)
}

// finish sets the result of an entry, unless it has one. Callers must hold mu.
func (w *Window) finish(e *entry, err error) {
	if e.ended {
		return
	}
	e.ended, e.err = true, err
	w.pending--
	w.failed = w.failed || err != nil && e.running
	if w.blocking || w.awaited == e || err != nil {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Fail sets the result of every message in flight to err, after the connection was lost. A
// later result of these messages is ignored.
func (w *Window) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		w.finish(e, err)
	}
	for _, e := range w.kept {
		w.finish(e, err)
	}
}

// InFlight returns the number of messages without a result.
func (w *Window) InFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pending
}
