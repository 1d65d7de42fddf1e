// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A trial is a request to pass a test event to the sink. It is not part of the account: it has
// no effect on the counters, the health and the history of the sink, or on the next attempt.
type trial struct {
	event  event.Event
	ctx    context.Context // of the request
	result chan Tested     // has room for one
}

// Tested is the result of a test.
type Tested struct {
	Attempted bool          // the event was passed to the sink
	Took      time.Duration // of the attempt
	Err       error         // nil if the sink has accepted the event; else why not, or why it was not attempted
}

// testGrace is the time in which Deliver may return after its context has ended.
const testGrace = time.Second

var (
	// ErrTesting is the error of a test while another one of the same sink is waiting or running.
	ErrTesting = errors.New("another test of the sink is running")

	errTestHangs   = errors.New("no result: the attempt continues, although its time is over")
	errTestAborted = errors.New("the attempt was aborted, because the sink is replaced or the daemon stops")
	errStopped     = errors.New("the sink is removed or the daemon stops")
	errSessionOver = errors.New("the session is over") // the next session can make the attempt
)

// Test passes e, a test event, to one of the sinks, and waits for the result until ctx ends. The
// attempt begins before the next one of a sender that makes no attempt: at once while the worker is
// idle, paused, or waits after a failure. If ctx ends before, the event is not passed later.
func (w *Worker) Test(ctx context.Context, e *event.Event) Tested {
	if !w.testing.TryLock() {
		return Tested{Err: ErrTesting}
	}
	defer w.testing.Unlock()
	t := &trial{event: *e, ctx: ctx, result: make(chan Tested, 1)}
	for {
		select {
		case w.trials <- t:
			if r := t.await(); !errors.Is(r.Err, errSessionOver) {
				return r
			}
		case <-w.stopped:
			return Tested{Err: errStopped}
		case <-ctx.Done():
			return Tested{Err: w.whyNotTested()}
		}
	}
}

// await waits for the result of an attempt, at most until the time for it is over.
func (t *trial) await() Tested {
	began := time.Now()
	select {
	case r := <-t.result:
		return r
	case <-t.ctx.Done():
	}
	select {
	case r := <-t.result:
		return r
	case <-time.After(testGrace):
		return Tested{Attempted: true, Took: time.Since(began), Err: errTestHangs}
	}
}

// whyNotTested returns why no sender could make the attempt.
func (w *Worker) whyNotTested() error {
	if busy := w.busy(); busy > 0 {
		return fmt.Errorf("an earlier attempt is running since %s", time.Now().Add(-busy).UTC().Format(time.RFC3339))
	}
	if w.lettersFail() {
		return errLettersFirst
	}
	return errors.New("no sender of the sink was free in time; try again")
}

var errLettersFirst = errors.New("the sink makes no attempt while its dead letters cannot be written or removed; see genltestctl status")

func (w *Worker) lettersFail() bool {
	return w.health.failing(letterAdds) || w.health.failing(letterRemovals)
}

// test makes the attempt of a trial. A sink treats earlier accepted events as counted when it
// receives another attempt. They are not while their dead letters cannot be written or removed.
func (s *sender) test(session *session, t *trial) {
	switch {
	case session.open.Err() != nil:
		t.result <- Tested{Err: errSessionOver}
		return
	case s.lettersFail():
		t.result <- Tested{Err: errLettersFirst}
		return
	case t.ctx.Err() != nil:
		t.result <- Tested{Err: s.whyNotTested()}
		return
	}
	ctx, cancel := context.WithCancel(session.attempts)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	s.Rules.SetNoCaptures(&t.event)
	began := time.Now()
	_, err := s.call(ctx, []event.Event{t.event})
	took := time.Since(began)
	switch {
	case err == nil:
	case session.attempts.Err() != nil:
		err = errTestAborted
	case t.ctx.Err() != nil:
		err = fmt.Errorf("no answer within %s: %w", took.Round(time.Millisecond), err)
	}
	t.result <- Tested{Attempted: true, Took: took, Err: err}
}

// testWaiting makes the attempt of a trial that waits.
func (s *sender) testWaiting(session *session, trials <-chan *trial) {
	select {
	case t := <-trials:
		s.test(session, t)
	default:
	}
}

// pause sleeps for d, at most until changed is closed or a trial was made.
func (s *sender) pause(session *session, d time.Duration, changed <-chan struct{}, trials <-chan *trial) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case t := <-trials:
		s.test(session, t)
	case <-session.open.Done():
	}
}
