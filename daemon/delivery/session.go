// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
)

// A shift is a stretch of a worker's time in which it delivers in one way. Batches
// that it does not finish are left to the next, as they are: nothing of them is
// counted twice, or lost, whatever changes between the two.
type shift struct {
	begun    context.Context // when it ends, nothing new is begun
	finished context.Context // when it ends, so does the attempt under way
	close    context.CancelFunc
	abort    context.CancelFunc
}

// begin makes a shift within ctx. It is over at once when a change is asked for.
func (w *Worker) begin(ctx context.Context) *shift {
	s := &shift{}
	s.finished, s.abort = context.WithCancel(ctx)
	s.begun, s.close = context.WithCancel(s.finished)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shift = s
	if w.asked != nil {
		s.over(w.asked.grace)
	}
	return s
}

// over says that the shift is to end, and when the attempt under way is to be aborted.
func (s *shift) over(grace time.Duration) {
	s.close()
	timer := time.AfterFunc(grace, s.abort)
	context.AfterFunc(s.finished, func() { timer.Stop() })
}

// end frees what the shift holds.
func (s *shift) end() { s.abort() }

// A change is what a worker is to do when its shift is over.
type change struct {
	route Route // to go on with; without sinks the worker ends
	grace time.Duration
	done  chan struct{} // closed when it is in use, or will never be
}

// Change has the worker deliver in another way, from the next attempt on: the one under
// way may take so long yet, then it is aborted. What was read from the journal before
// is delivered the new way, though the rules before have judged it. The place in
// the journal, the account and the sinks that both ways have stay; the other sinks of
// the old way are closed. The channel is closed when the new way is in use, or will
// never be, because another change or the end came first.
func (w *Worker) Change(route Route, grace time.Duration) (done <-chan struct{}) {
	return w.ask(&change{route, grace, make(chan struct{})})
}

// Stop has the worker end, without delivering what waits. The channel is closed when
// the attempt under way has ended, or was aborted after grace.
func (w *Worker) Stop(grace time.Duration) (done <-chan struct{}) {
	return w.ask(&change{Route{}, grace, make(chan struct{})})
}

func (w *Worker) ask(c *change) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		w.giveUp(c, nil)
		return c.done
	}
	if before := w.asked; before != nil {
		w.giveUp(before, c.route.Sinks)
	}
	w.asked = c
	if w.shift != nil {
		w.shift.over(c.grace)
	}
	return c.done
}

// giveUp closes the sinks of a change that nobody uses, which have delivered nothing yet.
// The caller holds mu.
func (w *Worker) giveUp(c *change, next []sink.Sink) {
	w.closeUnused(c.route.Sinks, slices.Concat(w.Sinks, next))
	close(c.done)
}

func (w *Worker) closeUnused(sinks, used []sink.Sink) {
	if err := sink.CloseAll(sink.Without(sinks, used)); err != nil {
		w.limits.Error("closing a sink that is no longer used", "error", err)
	}
}

// turn makes the change that was asked for, and reports whether to go on.
func (w *Worker) turn() bool {
	w.mu.Lock()
	c, old := w.asked, w.Sinks
	if len(c.route.Sinks) == 0 {
		w.mu.Unlock()
		return false // leave answers it
	}
	w.asked = nil
	if c.route.Rules != w.Rules {
		w.farewell()
	}
	if gone := sink.Without(old, c.route.Sinks); len(gone) > 0 {
		w.retired += missed(gone)
		w.health.replaced(len(c.route.Sinks))
	}
	w.use(c.route)
	w.mu.Unlock()
	// Not with the lock held: a sink may take its time, and others look at the account.
	w.closeUnused(old, c.route.Sinks)
	close(c.done)
	return true
}

// farewell has the next shift tell what the rules have suppressed, which are about to
// be replaced.
func (w *Worker) farewell() {
	b := w.account.begin()
	if w.summarize(b, true); b.empty() {
		w.account.drop(b)
		return
	}
	w.account.enter(b)
}

// leave says that the worker takes no more changes.
func (w *Worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if c := w.asked; c != nil {
		w.asked = nil
		w.giveUp(c, nil)
	}
}
