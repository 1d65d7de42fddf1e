// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/progress"
)

// A sender makes the attempts with one sink. One goroutine uses it.
type sender struct {
	*Worker
	sink    sink.Sink
	source  source    // source of the faults of its attempts
	window  int       // maximum events in an attempt; smaller while it isolates a refused event
	backoff backoff   // pauses between attempts
	next    time.Time // earliest time of the next attempt
	failing bool      // the last attempt failed
	retried uint64    // requested.retries that the sender has seen
	busy    progress.Beat
}

// serve delivers batches of the queue, and tests, until the session ends.
func (s *sender) serve(session *session) {
	s.queue.serve(func(b *batch) bool { return s.deliver(session, b) }, s.trials, func(t *trial) { s.test(session, t) })
}

// deliver makes attempts until every item of the batch has an outcome. It reports false if
// the session ended first.
func (s *sender) deliver(session *session, b *batch) bool {
	for {
		if session.open.Err() != nil {
			return s.settle(b)
		}
		held, trials := b.letters.unpersisted, s.trials
		if held {
			trials = nil // see test
		}
		s.testWaiting(session, trials)
		requested := s.requests.look()
		wait := s.untilAttempt(&requested, b)
		n, o := 0, delivered
		if !held {
			n, o = s.overLimit(b, requested.skipTo)
		}
		switch {
		case n > 0:
			s.noteDrop(b.events[b.decided:b.decided+n], o)
		case wait > 0 && (held || len(b.letters.waiting) == 0):
			s.pause(session, wait, requested.changed, trials)
			continue
		case wait > 0 || held:
			if s.settle(b) {
				return true
			}
			continue
		case len(b.items) > 0:
			n, o = s.attempt(session.attempts, b)
		}
		b.decide(n, o)
		if s.mayDelayLetters(b) && session.open.Err() == nil {
			continue
		}
		if s.settle(b) {
			return true
		}
	}
}

// overLimit returns how many of the next items exceed a limit of the sink, or were skipped by an
// operator, and their outcome.
func (s *sender) overLimit(b *batch, skipTo uint64) (n int, o outcome) {
	if b.replay {
		return 0, delivered // an operator requested them
	}
	items, events := b.undecided()
	for n < len(items) && !items[n].summary && items[n].record.Seq <= skipTo {
		n++
	}
	if n > 0 {
		return n, skipped
	}
	if s.Options.MaxAge > 0 {
		oldest := s.oldest(s.Options.MaxAge)
		for n < len(events) && s.Clock.Steady(events[n].Time).Before(oldest) {
			n++
		}
	}
	if n > 0 {
		s.limits.Warn("events dropped: older than the sink's max_age", "events", n)
		return n, tooOld
	}
	// Items that are decided but not counted are still part of the reader's lag.
	if s.Options.MaxLagBytes > 0 && len(events) > 0 && b.decided == b.counted && s.Reader.Lag() > s.Options.MaxLagBytes {
		s.limits.Warn("events dropped: the sink is further behind than its max_lag_bytes", "events", len(events))
		return len(events), tooFarBehind
	}
	return 0, delivered
}

// attempt makes one attempt with the next items. It returns how many of them have an
// outcome now, and which.
func (s *sender) attempt(ctx context.Context, b *batch) (n int, o outcome) {
	items, events := b.undecided()
	size := s.attemptSize(events)
	n, err := s.call(ctx, events[:size])
	if err != nil && ctx.Err() != nil {
		return n, delivered // aborted, so not a failure of the sink
	}
	s.noteAttempt(events[:size], n, err, b.replay)
	items = items[n:size]
	candidates := min(sink.Poisoned(err), len(items))
	switch {
	case err == nil:
		s.growWindow()
		s.succeeded()
	case candidates == 1:
		items[0].attempts++
		s.account.addFailure()
		s.growWindow()
		b.decide(n, delivered)
		s.addDeadLetter(b, err)
		return 1, deadLettered
	case candidates > 1:
		countAttempt(items)
		s.account.addFailure()
		s.window = candidates / 2
	default:
		countAttempt(items)
		s.failed(err, n > 0)
	}
	return n, delivered
}

// attemptSize returns the number of events for one attempt.
func (s *sender) attemptSize(events []event.Event) (n int) {
	for bytes := 0; n < min(len(events), s.window); n++ {
		if bytes += events[n].Size(); n > 0 && bytes > s.Options.BatchBytes {
			break
		}
	}
	return n
}

func countAttempt(items []item) {
	for i := range items {
		items[i].attempts++
	}
}

// growWindow doubles the window, up to a full batch.
func (s *sender) growWindow() { s.window = min(2*s.window, s.Options.BatchEvents) }

// succeeded clears the fault after an attempt that the sink answered. A refusal also
// counts, once its event is in the dead letters.
func (s *sender) succeeded() {
	s.next = time.Now().Add(s.backoff.succeeded())
	s.health.clear(s.source)
}

// failed sets the fault and the pause after a temporary error.
func (s *sender) failed(err error, progress bool) {
	s.next = time.Now().Add(s.backoff.failed(progress, sink.RetryDelay(err)))
	s.health.set(s.source, "delivery failed; will try again until it succeeds", err)
	s.health.setNext(s.source, s.next)
	s.account.addFailure()
}

// postpone sets a fault and the pause after a failed operation that must succeed before
// the next attempt.
func (s *sender) postpone(failed source, message string, err error) {
	s.next = time.Now().Add(s.backoff.failed(false, 0))
	s.health.set(failed, message, err)
	s.health.setNext(failed, s.next)
}

// call calls the sink once and enforces the contract of Deliver.
func (s *sender) call(ctx context.Context, events []event.Event) (accepted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Options.AttemptTimeout)
	defer cancel()
	s.busy.Mark()
	defer s.busy.Stop()
	accepted, err = s.sink.Deliver(ctx, events)
	accepted = min(max(accepted, 0), len(events))
	switch {
	case err == nil && accepted < len(events):
		err = fmt.Errorf("the sink accepted %d of %d events without an error", accepted, len(events))
	case err != nil && accepted == len(events):
		err = nil // no event is left to retry
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		err = timedOut(s.Options.AttemptTimeout, err)
	}
	return accepted, err
}

// timedOut returns the error of an attempt whose time has ended. Not every kind of sink reports that.
func timedOut(limit time.Duration, err error) error {
	text := fmt.Sprintf("no answer within %s (attempt_timeout): %v", limit, err)
	return sink.WithText(text, errors.Join(err, context.DeadlineExceeded))
}
