// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
)

// A session is the time during which a worker uses one Route. The next session continues
// the batches that it leaves unfinished. Each event is still counted exactly once.
type session struct {
	open     context.Context // ended: no new attempt starts
	attempts context.Context // ended: the running attempt is aborted
	close    context.CancelFunc
	abort    context.CancelFunc
}

// newSession starts a session within ctx. If a change is already requested, the session
// ends at once.
func (w *Worker) newSession(ctx context.Context) *session {
	s := &session{}
	s.attempts, s.abort = context.WithCancel(ctx)
	s.open, s.close = context.WithCancel(s.attempts)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.session = s
	if w.requested != nil {
		s.end(w.requested.grace)
	}
	return s
}

// end ends the session. The running attempt is aborted after grace.
func (s *session) end(grace time.Duration) {
	s.close()
	timer := time.AfterFunc(grace, s.abort)
	context.AfterFunc(s.attempts, func() { timer.Stop() })
}

// release frees the resources of the session.
func (s *session) release() { s.abort() }

// A change is a request to end the session and then use another Route, or to stop.
type change struct {
	route Route // without sinks, the worker stops
	grace time.Duration
	done  chan struct{} // closed when the change is applied or abandoned
}

// Change makes the worker use another Route from the next attempt on. The running attempt
// is cancelled after grace. Records that were already read are delivered by the new Route,
// but the old rules have selected them. The position in the journal and the counters stay.
// Sinks that both routes contain stay open, and the other old ones are closed. The channel
// is closed when the new Route is in use. It is also closed when another change replaces
// this one, or when the worker ends.
func (w *Worker) Change(route Route, grace time.Duration) (done <-chan struct{}) {
	return w.request(&change{route, grace, make(chan struct{})})
}

// Stop makes the worker end without delivering the waiting events. The running attempt is
// cancelled after grace. The channel is closed when the worker has ended.
func (w *Worker) Stop(grace time.Duration) (done <-chan struct{}) {
	return w.request(&change{Route{}, grace, make(chan struct{})})
}

func (w *Worker) request(c *change) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		w.abandon(c, nil)
		return c.done
	}
	if before := w.requested; before != nil {
		w.abandon(before, c.route.Sinks)
	}
	w.requested = c
	if w.session != nil {
		w.session.end(c.grace)
	}
	return c.done
}

// abandon closes the sinks of a change that is never applied, except those in use and
// those in next. The caller must hold mu.
func (w *Worker) abandon(c *change, next []sink.Sink) {
	w.closeUnused(c.route.Sinks, slices.Concat(w.Sinks, next))
	close(c.done)
}

func (w *Worker) closeUnused(sinks, used []sink.Sink) {
	if err := sink.CloseAll(sink.Without(sinks, used)); err != nil {
		w.limits.Error("cannot close a sink that is no longer used", "error", err)
	}
}

// applyChange applies the requested change, and reports false if the worker must stop.
func (w *Worker) applyChange() bool {
	w.mu.Lock()
	c, old := w.requested, w.Sinks
	if len(c.route.Sinks) == 0 {
		w.mu.Unlock()
		return false // finish closes c.done
	}
	w.requested = nil
	if c.route.Rules != w.Rules {
		w.flushSummaries()
	}
	if unused := sink.Without(old, c.route.Sinks); len(unused) > 0 {
		w.closedMissed += missed(unused)
		w.health.sinksReplaced(len(c.route.Sinks))
	}
	w.use(c.route)
	w.mu.Unlock()
	// Closing a sink can take long, and State must not wait for it.
	w.closeUnused(old, c.route.Sinks)
	close(c.done)
	return true
}

// flushSummaries adds a batch with all summaries of the rules that are about to be
// replaced. The next session delivers it.
func (w *Worker) flushSummaries() {
	b := w.account.newBatch()
	if w.summarize(b, true); b.empty() {
		w.account.recycle(b)
		return
	}
	w.account.add(b)
}

// finish makes the worker reject further changes, and abandons a requested one.
func (w *Worker) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if c := w.requested; c != nil {
		w.requested = nil
		w.abandon(c, nil)
	}
}
