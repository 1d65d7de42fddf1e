// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

// An account says where each event of a sink is, and moves the cursor past those
// that have found their fate. All of it changes under one lock, so that it is whole
// whenever somebody looks.
type account struct {
	clock   Clock
	reader  Reader
	latency prometheus.Observer
	health  *health

	mu      sync.Mutex
	state   metrics.SinkState // Events and Waiting are derived, not kept
	claimed uint64            // records past the cursor that the state has
	last    journal.Record    // that the cursor was moved to
	moves   uint64            // times that the oldest batch, or the cursor, got on
	open    []*batch          // in the journal's order, the first one not yet dealt with first
	idle    []*batch
}

// begin returns an empty batch.
func (a *account) begin() *batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.idle); n > 0 {
		b := a.idle[n-1]
		a.idle = a.idle[:n-1]
		return b
	}
	return &batch{}
}

// enter puts a batch in its place in the journal's order.
func (a *account) enter(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = append(a.open, b)
}

// drop gives back a batch that was not entered.
func (a *account) drop(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.clear()
	a.idle = append(a.idle, b)
}

// replaying reports whether a batch of dead letters is not dealt with.
func (a *account) replaying() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.open, func(b *batch) bool { return b.replay })
}

// left returns the batches that are not dealt with, in the journal's order.
func (a *account) left() []*batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.open), func(b *batch) bool { return b.over })
}

// underway returns how many batches are not dealt with.
func (a *account) underway() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// A reading counts what was read for a batch.
type reading struct {
	records, skipped     uint64
	undecoded, ruleFails uint64
	filtered             uint64
	suppressed           map[string]uint64 // by reason
}

// took notes what was read for a batch, and the items that were made of it.
func (a *account) took(r *reading, items []item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &a.state
	s.Dropped[metrics.DroppedJournal] += r.skipped
	s.Filtered += r.filtered
	s.RuleErrors += r.ruleFails
	s.Undecoded += r.undecoded
	for reason, n := range r.suppressed {
		s.Suppressed[reason] += n
	}
	for i := range items {
		if !items[i].summary {
			s.InFlight++
		}
	}
	a.claimed += r.records + r.skipped
}

// A fate is what becomes of an event in the end, but for being taken.
type fate string

const (
	taken        fate = "taken"
	deadLettered fate = "dead letter"
	tooOld       fate = metrics.DroppedAge
	tooFarBehind fate = metrics.DroppedLag
)

// done notes the fate of the items of b for which it is decided, and reports whether
// that is all of them: then b is no longer the caller's.
func (a *account) done(b *batch) (over bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ages := (&ages{clock: a.clock, now: a.clock.Steady(a.clock.Now())}); b.done < b.decided {
		good, refused := false, uint64(0)
		for ; b.done < b.decided; b.done++ {
			i := &b.items[b.done]
			a.one(i, b.replay, ages)
			switch i.fate {
			case taken:
				good, refused = true, 0
			case deadLettered:
				refused++
			}
		}
		a.health.delivered(good, refused)
		if a.open[0] == b {
			a.moves++
		}
	}
	over = b.done == len(b.items)
	b.over = over
	a.commit()
	return over
}

func (a *account) one(i *item, replay bool, ages *ages) {
	s := &a.state
	switch {
	case replay && i.fate == taken:
		s.Replayed++
		return
	case replay:
		return
	case i.summary:
		s.Summaries++
		return
	}
	s.InFlight--
	switch i.fate {
	case taken:
		s.Delivered++
		a.latency.Observe(ages.of(i.record.Time).Seconds())
	case deadLettered:
		s.DeadLettered++
	default:
		s.Dropped[string(i.fate)]++
	}
}

// ages measures those of events, most of which were received at the same time.
type ages struct {
	clock    Clock
	now      time.Time // steady
	received time.Time // of the last one,
	age      time.Duration
}

func (a *ages) of(received time.Time) time.Duration {
	if !a.received.Equal(received) {
		a.received, a.age = received, max(0, a.now.Sub(a.clock.Steady(received)))
	}
	return a.age
}

// commit moves the cursor over the first batches, as far as they are dealt with.
// The caller holds mu.
func (a *account) commit() {
	var last journal.Record
	var dealt uint64
	for len(a.open) > 0 {
		b := a.open[0]
		for ; b.committed < b.done; b.committed++ {
			if i := &b.items[b.committed]; i.span > 0 {
				dealt += i.span
				last = i.record
			}
		}
		if !b.over {
			break
		}
		if b.tail > 0 {
			dealt += b.tail
			last = b.last
		}
		a.open = append(a.open[:0], a.open[1:]...)
		b.clear()
		a.idle = append(a.idle, b)
	}
	if dealt == 0 {
		return
	}
	a.claimed -= dealt
	a.moves++
	a.last = last
	a.write()
}

// write writes the cursor, also once more after an error. The caller holds mu.
func (a *account) write() {
	if err := a.reader.Commit(a.last); err != nil {
		a.health.set(cursorWrites, "cannot write the cursor; after a crash events would be delivered again", err)
		return
	}
	a.health.clear(cursorWrites)
}

// writeAgain writes the cursor if that failed before.
func (a *account) writeAgain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.health.failing(cursorWrites) {
		a.write()
	}
}

// trim drops what is in the journal beyond a limit, and nobody has in hand. The cursor
// moves and the account changes at once, for whoever looks.
func (a *account) trim(maxBytes int64, oldest time.Time, f fate) (dropped uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dropped, err = a.reader.Trim(maxBytes, oldest)
	a.state.Dropped[string(f)] += dropped
	if dropped > 0 {
		a.moves++
	}
	return dropped, err
}

// failed counts an attempt that the sink has not taken all of.
func (a *account) failed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.Failures++
}

// State returns the account at this moment, and how often it has moved until then.
func (a *account) State() (_ metrics.SinkState, moves uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.state
	s.Dropped, s.Suppressed = maps.Clone(s.Dropped), maps.Clone(s.Suppressed)
	if backlog := a.reader.Backlog(); backlog > a.claimed {
		s.Waiting = backlog - a.claimed
	}
	s.LagBytes = a.reader.Lag()
	s.Events = s.Delivered + s.Filtered + s.DeadLettered + s.InFlight + s.Waiting
	for _, n := range s.Dropped {
		s.Events += n
	}
	for _, n := range s.Suppressed {
		s.Events += n
	}
	return s, a.moves
}
