// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

const (
	maxAttempts     = 64  // entries of a history
	maxAttemptError = 300 // bytes of the text of an error
)

// An Attempt is one attempt of which the sink did not accept all events, the first complete
// attempt after it, or events that a limit of the sink dropped.
type Attempt struct {
	Time        time.Time // when it ended
	First, Last uint64    // numbers of its first and its last event
	Events      int       // in the attempt; the numbers between First and Last may have gaps
	Accepted    int       // of the events, from the first on
	Error       string    // empty if the sink accepted all; safe to show
	Dropped     string    // the limit that dropped the events in place of an attempt, or ""
	Replay      bool      // of dead letters
}

// Concerns reports whether the event with that number was in the attempt, if the sink's rules let it
// pass.
func (a *Attempt) Concerns(seq uint64) bool { return a.First <= seq && seq <= a.Last }

// A history contains the latest attempts of a sink. It is safe for concurrent use.
type history struct {
	mu   sync.Mutex
	ring []Attempt // allocated with the first entry
	next int       // where the next entry is stored, once the ring is full
}

func (h *history) add(a Attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring) < maxAttempts {
		h.ring = append(h.ring, a)
		return
	}
	h.ring[h.next] = a
	h.next = (h.next + 1) % maxAttempts
}

// list returns the attempts, the oldest first.
func (h *history) list() []Attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(h.ring[h.next:], h.ring[:h.next])
}

// Attempts returns the latest attempts that failed or ended a failure, the oldest first.
func (w *Worker) Attempts() []Attempt { return w.account.history.list() }

// noteAttempt adds an attempt to the history if it failed, or ended a failure.
func (s *sender) noteAttempt(events []event.Event, accepted int, err error, replay bool) {
	if err == nil && !s.failing || len(events) == 0 {
		return
	}
	s.failing = err != nil
	a := s.attemptOf(events)
	a.Accepted, a.Replay = accepted, replay
	if err != nil {
		a.Error = shortened(err.Error())
	}
	s.account.history.add(a)
}

// noteDrop adds events that a limit dropped to the history.
func (s *sender) noteDrop(events []event.Event, o outcome) {
	a := s.attemptOf(events)
	a.Dropped = string(o)
	s.account.history.add(a)
}

func (s *sender) attemptOf(events []event.Event) Attempt {
	return Attempt{Time: s.Clock.Now(), First: events[0].Seq, Last: events[len(events)-1].Seq, Events: len(events)}
}

// shortened returns at most maxAttemptError bytes of a text, safe to show.
func shortened(text string) string {
	shown := event.AppendVisible(nil, []byte(text[:min(len(text), maxAttemptError)]))
	if len(shown) <= maxAttemptError && len(text) <= maxAttemptError {
		return string(shown)
	}
	end := min(len(shown), maxAttemptError)
	for end > 0 && end < len(shown) && !utf8.RuneStart(shown[end]) {
		end--
	}
	return string(shown[:end]) + "…"
}
