// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A lane makes attempts with one sink. It is used by one goroutine.
type lane struct {
	*Worker
	sink   sink.Sink
	source source    // of its attempts' faults
	window int       // most events in an attempt, while one that is poisoned is looked for
	pace   pace      // between attempts
	next   time.Time // when another attempt may be made
}

// deliver tries until every item of the batch has found its fate, and reports false
// when the shift was over first.
func (l *lane) deliver(s *shift, b *batch) bool {
	for {
		if pause := time.Until(l.next); pause > 0 && !sleep(s.begun, pause) || s.begun.Err() != nil {
			return l.settle(b)
		}
		if b.letters.owed {
			if l.settle(b) {
				return true
			}
			continue
		}
		n, f := l.beyond(b)
		if n == 0 && len(b.items) > 0 {
			n, f = l.attempt(s.finished, b)
		}
		b.decide(n, f)
		if l.mayWait(b) && s.begun.Err() == nil {
			continue
		}
		if l.settle(b) {
			return true
		}
	}
}

// beyond returns how many of the next items a limit takes from the sink.
func (l *lane) beyond(b *batch) (n int, f fate) {
	if b.replay {
		return 0, taken // somebody has asked for them
	}
	_, left := b.left()
	if l.Options.MaxAge > 0 {
		oldest := l.oldest(l.Options.MaxAge)
		for n < len(left) && l.Clock.Steady(left[n].Time).Before(oldest) {
			n++
		}
	}
	if n > 0 {
		l.limits.Warn("events dropped: older than the sink's max_age", "events", n)
		return n, tooOld
	}
	// What is decided and not counted yet would count as lag.
	if l.Options.MaxLagBytes > 0 && len(left) > 0 && b.decided == b.done && l.Reader.Lag() > l.Options.MaxLagBytes {
		l.limits.Warn("events dropped: the sink is further behind than its max_lag_bytes", "events", len(left))
		return len(left), tooFarBehind
	}
	return 0, taken
}

// attempt makes one attempt with the next items, and returns how many of them have
// found which fate.
func (l *lane) attempt(ctx context.Context, b *batch) (n int, f fate) {
	left, events := b.left()
	size := l.size(events)
	n, err := l.call(ctx, events[:size])
	if err != nil && ctx.Err() != nil {
		return n, taken // aborted: nobody's fault
	}
	left = left[n:size]
	suspects := min(sink.Poisoned(err), len(left))
	switch {
	case err == nil:
		l.widen()
		l.succeeded()
	case suspects == 1:
		left[0].attempts++
		l.account.failed()
		l.widen()
		b.decide(n, taken)
		l.refused(b, err)
		return 1, deadLettered
	case suspects > 1:
		tried(left)
		l.account.failed()
		l.window = suspects / 2
	default:
		tried(left)
		l.failed(err, n > 0)
	}
	return n, taken
}

// size returns how many of the events go into one attempt.
func (l *lane) size(events []event.Event) (n int) {
	for bytes := 0; n < min(len(events), l.window); n++ {
		if bytes += len(events[n].Message); n > 0 && bytes > l.Options.BatchBytes {
			break
		}
	}
	return n
}

func tried(items []item) {
	for i := range items {
		items[i].attempts++
	}
}

// widen is for an attempt that was small enough.
func (l *lane) widen() { l.window = min(2*l.window, l.Options.BatchEvents) }

// succeeded is for an attempt that the other side has answered as it should: also by
// refusing an event, once that is with the dead letters.
func (l *lane) succeeded() {
	l.next = time.Now().Add(l.pace.succeeded())
	l.health.clear(l.source)
}

// failed is for an attempt that is worth another one.
func (l *lane) failed(err error, progress bool) {
	l.next = time.Now().Add(l.pace.failed(progress, sink.RetryDelay(err)))
	l.health.set(l.source, "delivery failed; will try again until it succeeds", err)
	l.account.failed()
}

// postpone is for what must be done before another attempt, and cannot be done yet.
func (l *lane) postpone(s source, message string, err error) {
	l.next = time.Now().Add(l.pace.failed(false, 0))
	l.health.set(s, message, err)
}

// call calls the sink once and holds it to its contract.
func (l *lane) call(ctx context.Context, events []event.Event) (accepted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.Options.AttemptTimeout)
	defer cancel()
	accepted, err = l.sink.Deliver(ctx, events)
	accepted = min(max(accepted, 0), len(events))
	switch {
	case err == nil && accepted < len(events):
		err = fmt.Errorf("sink took %d of %d events without an error", accepted, len(events))
	case err != nil && accepted == len(events):
		err = nil // what is there to try again?
	}
	return accepted, err
}
