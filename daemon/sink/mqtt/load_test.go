// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// A load delivers numbered events as delivery does, and counts the failed attempts.
type load struct {
	sink     sink.Sink
	pace     *witness      // has received all accepted events before each batch; nil does not limit the rate
	limit    time.Duration // of an attempt
	next     int           // number of the first event that is not accepted
	failures int
	latest   error
}

func newLoad(s sink.Sink) *load { return &load{sink: s, limit: time.Second, next: 1} }

// until delivers events in batches until the condition holds, which is checked before each batch.
func (l *load) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	poll.Until(t, what, func() bool {
		for !condition() {
			if !l.attempt(t) {
				return false // poll waits for a moment, as the back-off does
			}
		}
		return true
	})
}

// attempt reports whether a batch was accepted.
func (l *load) attempt(t *testing.T) bool {
	t.Helper()
	const batch = 100
	if l.pace != nil && l.next > 1 {
		l.pace.awaitEvent(t, sinktest.Events(l.next-1, 1)[0].ID())
	}
	ctx, cancel := context.WithTimeout(t.Context(), l.limit)
	defer cancel()
	n, err := l.sink.Deliver(ctx, sinktest.Events(l.next, batch))
	if l.next += n; err == nil {
		return true
	}
	if l.failures, l.latest = l.failures+1, err; sink.Poisoned(err) > 0 {
		t.Fatalf("event %d: %v", l.next, err)
	}
	return false
}

// accept delivers at least n more events.
func (l *load) accept(t *testing.T, n int) {
	t.Helper()
	goal := l.next + n
	l.until(t, fmt.Sprintf("event %d is accepted", goal), func() bool { return l.next >= goal })
}

// fail delivers until n more attempts have failed.
func (l *load) fail(t *testing.T, n int) {
	t.Helper()
	goal := l.failures + n
	l.until(t, fmt.Sprintf("%d attempts have failed", goal), func() bool { return l.failures >= goal })
}

// check waits until the witness has all accepted events, and compares the order of their first
// arrivals. It returns the number of duplicates.
func (l *load) check(t *testing.T, w *witness) (duplicates int) {
	t.Helper()
	want := make(map[string]int, l.next)
	for i, e := range sinktest.Events(1, l.next-1) {
		want[e.ID()] = i + 1
	}
	highest := 0
	poll.Until(t, fmt.Sprintf("%d events have arrived", len(want)), func() bool {
		highest, duplicates = 0, 0
		for _, m := range w.received() {
			switch n := want[sinktest.ParseJSON(t, m.Payload).ID]; {
			case n == 0: // sent and not acknowledged
			case n <= highest:
				duplicates++
			case n > highest+1:
				t.Fatalf("event %d follows event %d: the events in between are late or lost", n, highest)
			default:
				highest = n
			}
		}
		return highest == len(want)
	})
	return duplicates
}
