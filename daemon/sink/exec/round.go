// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

var errUnanswered = errors.New("no answer")

// A round contains the events that one attempt has passed to a stream's program, and its
// answers.
type round struct {
	events   []event.Event
	verdicts []error // nil for accepted; initially errUnanswered
	next     int     // all events before it are answered
	scratch  []byte
	mask     *redact.Mask // of the program's reasons
}

func newRound(events []event.Event, mask *redact.Mask) *round {
	r := &round{events: events, verdicts: make([]error, len(events)), mask: mask}
	for i := range r.verdicts {
		r.verdicts[i] = errUnanswered
	}
	return r
}

// answered reports whether the first n events are answered.
func (r *round) answered(n int) bool { return r.next >= n }

// take records an answer. It returns an error if the program violates the protocol.
func (r *round) take(a answer) error {
	if a.err != nil {
		return a.err
	}
	i := r.find(a.id)
	if i < 0 {
		return fmt.Errorf("answered for the event %s, which it did not receive", visible([]byte(a.id), r.mask))
	}
	switch open := errors.Is(r.verdicts[i], errUnanswered); {
	case a.verb == "ok":
		r.takeUpTo(i)
	case !open:
		return fmt.Errorf("answered twice for the event %s", a.id)
	case a.verb == "retry":
		r.verdicts[i] = fmt.Errorf("asks to try again: %s", visible(a.reason, r.mask))
	default:
		err := fmt.Errorf("rejects the event: %s", visible(a.reason, r.mask))
		r.verdicts[i] = sink.Permanent(sink.Refusal{Kind: sink.RefusedByProgram}.Mark(err))
	}
	for r.next < len(r.events) && !errors.Is(r.verdicts[r.next], errUnanswered) {
		r.next++
	}
	return nil
}

// takeUpTo records that the events up to i were accepted, except those with another
// answer.
func (r *round) takeUpTo(i int) {
	for j := r.next; j <= i; j++ {
		if errors.Is(r.verdicts[j], errUnanswered) {
			r.verdicts[j] = nil
		}
	}
}

// find returns the event's index, or -1. An answer is usually for the next event.
func (r *round) find(id string) int {
	if id == oldest {
		if r.next == len(r.events) {
			return -1
		}
		return r.next
	}
	for n := range r.events {
		i := (r.next + n) % len(r.events)
		r.scratch = r.events[i].AppendID(r.scratch[:0])
		if string(r.scratch) == id {
			return i
		}
	}
	return -1
}
