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
	pending  int                    // messages without a result
	kept     map[event.Key]*Message // of earlier attempts, pending or accepted
	fresh    []Message              // memory for the next attempt
	messages []*Message             // of the running attempt, in the order of its events
	failed   bool                   // a message of the running attempt has failed
	awaited  *Message               // wakes the running attempt
	wake     chan struct{}
	blocking bool // the running attempt waits for room
}

// A Message is that of one event. Its methods are safe for concurrent use.
type Message struct {
	window  *Window
	running bool  // it belongs to the running attempt
	ended   bool  // the result is known
	err     error // nil if it was accepted
}

// Send starts to send the message of an event. It passes the result to Done of the message, or to
// Results: from any goroutine, also before it returns. If it returns an error, the message was not
// sent, and its result is ignored.
type Send func(e *event.Event, m *Message) error

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
	for key, m := range w.kept {
		if key.JournalID != first.JournalID || key.Seq < first.Seq {
			delete(w.kept, key)
			w.finish(m, errForgotten)
		}
	}
	if len(w.fresh) < n {
		w.fresh, w.messages = make([]Message, n), make([]*Message, 0, n)
	}
	w.failed = false
}

var errForgotten = errors.New("the event is no longer delivered")

// send returns why it has not sent all events.
func (w *Window) send(ctx context.Context, events []event.Event, send Send) error {
	for i := range events {
		m := &w.fresh[i]
		*m = Message{window: w}
		switch ready, err := w.add(ctx, &events[i], m); {
		case err != nil:
			return err
		case !ready:
			continue
		}
		if err := send(&events[i], m); err != nil {
			w.withdraw(m)
			return err
		}
	}
	return nil
}

// errBehind stops an attempt after a failure. Deliver returns the failure itself.
var errBehind = errors.New("an earlier event was not accepted")

// add registers the message of an event. It waits for room. It reports false if the event is in
// flight already.
func (w *Window) add(ctx context.Context, e *event.Event, fresh *Message) (ready bool, err error) {
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

func (w *Window) join(m *Message) {
	m.running = true
	w.messages = append(w.messages, m)
}

// withdraw removes the last message, which was not sent.
func (w *Window) withdraw(m *Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(m, errBehind)
	w.messages = w.messages[:len(w.messages)-1]
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

// await waits for the results of the messages. It returns the number of leading accepted ones,
// and the error of the next one.
func (w *Window) await(ctx context.Context) (accepted int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for accepted < len(w.messages) && w.messages[accepted].ended && w.messages[accepted].err == nil {
			accepted++
		}
		switch {
		case accepted == len(w.messages):
			return accepted, nil
		case w.messages[accepted].ended:
			return accepted, w.messages[accepted].err
		case ctx.Err() != nil:
			return accepted, ctx.Err()
		}
		w.awaited = w.lastPending(accepted)
		w.sleep(ctx)
		w.awaited = nil
	}
}

// lastPending returns the message whose result usually is the last. Before a failure it is the
// first one without a result. There is one from index first on.
func (w *Window) lastPending(first int) *Message {
	if w.failed {
		return w.messages[first]
	}
	for i := len(w.messages) - 1; i > first; i-- {
		if !w.messages[i].ended {
			return w.messages[i]
		}
	}
	return w.messages[first]
}

// end keeps the messages of this attempt that the next one must know.
func (w *Window) end(events []event.Event, accepted int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if accepted == len(events) && len(w.kept) == 0 {
		w.messages = w.messages[:0] // each message has its result, so their memory can be used again
		return
	}
	for i, m := range w.messages {
		m.running = false
		switch key := events[i].Key(); {
		case i < accepted || m.err != nil:
			delete(w.kept, key)
		default:
			w.keep(key, m)
		}
	}
	w.fresh, w.messages = nil, nil
}

func (w *Window) keep(key event.Key, m *Message) {
	if w.kept == nil {
		w.kept = make(map[event.Key]*Message)
	}
	w.kept[key] = m
}

// Done sets the result of a message; nil means that it was accepted.
func (m *Message) Done(err error) {
	w := m.window
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(m, err)
}

// Results sets the results of n messages, which is faster than Done of each.
func (w *Window) Results(n int, result func(i int) (*Message, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		w.finish(result(i))
	}
}

// finish sets the result of a message, unless it has one. Callers must hold mu.
func (w *Window) finish(m *Message, err error) {
	if m.ended {
		return
	}
	m.ended, m.err = true, err
	w.pending--
	w.failed = w.failed || err != nil && m.running
	if w.blocking || w.awaited == m || err != nil {
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
	for _, m := range w.messages {
		w.finish(m, err)
	}
	for _, m := range w.kept {
		w.finish(m, err)
	}
}

// InFlight returns the number of messages without a result.
func (w *Window) InFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pending
}
