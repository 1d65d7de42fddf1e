// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/genltestd/genltestd/metrics"
)

// requests are what an operator has requested of a worker. Senders look at them before each
// attempt, and again when they change while the sender waits.
type requests struct {
	mu      sync.Mutex
	current requested
}

// requested is the state of the requests at one time.
type requested struct {
	paused  time.Time     // since when the sink is paused; zero if it is not
	skipTo  uint64        // the events up to this number are skipped
	retries uint64        // how often an attempt was requested
	changed chan struct{} // closed by the next change
}

func (r *requests) look() requested {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current.changed == nil {
		r.current.changed = make(chan struct{})
	}
	return r.current
}

func (r *requests) change(f func(*requested)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.current)
	if r.current.changed != nil {
		close(r.current.changed)
		r.current.changed = nil
	}
}

// Pause makes the worker start no attempt until Resume. The running attempt continues. The
// limits of the sink and of the journal stay in force. since is when the pause began.
func (w *Worker) Pause(since time.Time) { w.requests.change(func(r *requested) { r.paused = since }) }

// Resume ends a pause. The next attempt starts at once.
func (w *Worker) Resume() {
	w.requests.change(func(r *requested) { r.paused = time.Time{}; r.retries++ })
}

// Paused returns since when the sink is paused, or zero.
func (w *Worker) Paused() time.Time { return w.requests.look().paused }

// Retry makes the worker start the next attempt at once, instead of after the pause that
// follows a failure.
func (w *Worker) Retry() { w.requests.change(func(r *requested) { r.retries++ }) }

// Skip makes the worker drop the events up to a number, under their own reason, also while the
// sink is paused. An event of a running attempt is dropped if the sink does not accept it. Skip does
// not wait; see SettledTo.
func (w *Worker) Skip(to uint64) {
	w.requests.change(func(r *requested) { r.skipTo = max(r.skipTo, to) })
}

// SettledTo reports whether each event up to a number has an outcome.
func (w *Worker) SettledTo(seq uint64) bool { return w.account.settledTo(seq) }

// report adds the fault of a paused sink to its state.
func (r *requested) report(s *metrics.SinkState) {
	if !r.paused.IsZero() {
		err := fmt.Errorf("paused by an operator; continue with: genltestctl sink resume %s", s.Name)
		s.AddFault(metrics.SinkFault{Reason: metrics.FaultPaused, Err: err, Since: r.paused})
	}
}

// untilAttempt returns how long to wait before the next attempt with b. A paused sender looks at
// the limits of the sink from time to time.
func (s *sender) untilAttempt(now *requested, b *batch) time.Duration {
	if now.retries != s.retried {
		s.retried, s.next = now.retries, time.Time{}
	}
	if items, _ := b.undecided(); len(items) > 0 && !now.paused.IsZero() {
		return s.Options.RetryMax
	}
	return time.Until(s.next)
}

// sleepUnless sleeps for d, at most until changed is closed. It reports false if the context ended
// first.
func sleepUnless(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
		return false
	}
	return true
}
