// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

// An account counts the outcome of each event of a sink, and moves the cursor past the
// events that have one. One lock guards all of it, so State is consistent at any moment.
type account struct {
	clock   Clock
	reader  Reader
	latency latency
	health  *health
	history history
	reached func(text string, latency time.Duration) // see Config.OnCanary

	mu      sync.Mutex
	state   metrics.SinkState // without Events and Waiting, which State computes
	claimed uint64            // records after the cursor that state already counts
	last    journal.Record    // last record that the cursor has passed
	moves   uint64            // how often the oldest batch or the cursor has advanced
	open    []*batch          // batches that the cursor has not passed, in journal order
	filling time.Time         // receipt of the first event of the batch that is not added yet; zero without one
	idle    []*batch          // empty batches for reuse
	canary  canary            // read, and not reached yet; zero without one
}

// newBatch returns an empty batch.
func (a *account) newBatch() *batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.idle); n > 0 {
		b := a.idle[n-1]
		a.idle = a.idle[:n-1]
		return b
	}
	return &batch{}
}

// add appends a batch to the open ones. Its range must follow those before it.
func (a *account) add(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open = append(a.open, b)
	a.filling = time.Time{}
}

// recycle makes a batch that was not added available for reuse.
func (a *account) recycle(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.clear()
	a.idle = append(a.idle, b)
}

// replaying reports whether a batch of dead letters is open.
func (a *account) replaying() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.open, func(b *batch) bool { return b.replay })
}

// unfinished returns the batches that are not finished, in journal order.
func (a *account) unfinished() []*batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.open), func(b *batch) bool { return b.finished })
}

// openBatches returns the number of batches that the cursor has not passed.
func (a *account) openBatches() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// readCounts counts the records that were read for a batch.
type readCounts struct {
	records, skipped     uint64
	undecoded, ruleFails uint64
	filtered             uint64
	suppressed           map[string]uint64 // by reason
	canary               canary            // the last one; zero without one
}

// addRead counts the records that were read for a batch, and the items made from them.
func (a *account) addRead(r *readCounts, items []item) {
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
			if s.InFlight++; a.filling.IsZero() {
				a.filling = items[i].record.Time
			}
		}
	}
	a.claimed += r.records + r.skipped
	if r.canary.seq != 0 {
		a.canary = r.canary
	}
}

// An outcome is the final state of an event that passed the rules.
type outcome string

const (
	delivered    outcome = "delivered"
	deadLettered outcome = "dead letter"
	tooOld       outcome = metrics.DroppedAge
	tooFarBehind outcome = metrics.DroppedLag
	skipped      outcome = metrics.DroppedSkipped
)

// settle counts the outcomes that b has gained, and reports whether b is finished. The
// caller must not use a finished batch.
func (a *account) settle(b *batch) (finished bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.counted < b.decided {
		now := a.clock.Now()
		ages := &ages{clock: a.clock, now: a.clock.Steady(now)}
		accepted, refused := false, uint64(0)
		for ; b.counted < b.decided; b.counted++ {
			i := &b.items[b.counted]
			a.count(i, &b.events[b.counted], b.replay, ages)
			switch i.outcome {
			case delivered:
				accepted, refused = true, 0
			case deadLettered:
				refused++
			}
		}
		a.health.noteOutcomes(accepted, refused)
		if accepted {
			a.state.LastDelivery = now
		}
		if a.open[0] == b {
			a.moves++
		}
	}
	finished = b.counted == len(b.items)
	b.finished = finished
	a.commit()
	if a.canary.seq != 0 && a.hasSettled(a.canary.seq) {
		a.reachCanary()
	}
	return finished
}

// count counts one item. The caller must hold mu.
func (a *account) count(i *item, e *event.Event, replay bool, ages *ages) {
	s := &a.state
	switch {
	case replay && i.outcome == delivered:
		s.Replayed++
		return
	case replay:
		return
	case i.summary:
		s.Summaries++
		return
	}
	s.InFlight--
	switch i.outcome {
	case delivered:
		s.Delivered++
		a.latency.observe(i.record.Time, e, ages)
	case deadLettered:
		s.DeadLettered++
	default:
		s.Dropped[string(i.outcome)]++
	}
}

// commit moves the cursor past the counted items at the start of the open batches. The
// caller must hold mu.
func (a *account) commit() {
	var last journal.Record
	var passed uint64
	for len(a.open) > 0 {
		b := a.open[0]
		for ; b.committed < b.counted; b.committed++ {
			if i := &b.items[b.committed]; i.span > 0 {
				passed += i.span
				last = i.record
			}
		}
		if !b.finished {
			break
		}
		if b.tail > 0 {
			passed += b.tail
			last = b.last
		}
		a.open = append(a.open[:0], a.open[1:]...)
		b.clear()
		a.idle = append(a.idle, b)
	}
	if passed == 0 {
		return
	}
	a.claimed -= passed
	a.moves++
	a.last = last
	a.writeCursor()
}

// writeCursor writes the cursor. It can be called again after an error. The caller must
// hold mu.
func (a *account) writeCursor() {
	if err := a.reader.Commit(a.last); err != nil {
		a.health.set(cursorWrites, "cannot write the cursor; after a crash, events would be delivered again", err)
		return
	}
	a.health.clear(cursorWrites)
}

// settledTo reports whether each record up to the number seq has an outcome, although the cursor may
// not have passed it yet: it does not pass a rejected record before the next event of its batch.
func (a *account) settledTo(seq uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hasSettled(seq)
}

// hasSettled is settledTo for a caller that holds mu.
func (a *account) hasSettled(seq uint64) bool {
	beyond := a.last.Seq >= seq
	for _, b := range a.open {
		if b.replay {
			continue
		}
		beyond = beyond || b.last.Seq >= seq
		for _, i := range b.items[b.counted:] {
			switch {
			case i.summary:
			case i.record.Seq <= seq:
				return false
			default:
				beyond = true
			}
		}
	}
	return beyond || a.state.InFlight == 0 && a.reader.Backlog() <= a.claimed
}

// retryCursor writes the cursor if the last attempt failed.
func (a *account) retryCursor() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.health.failing(cursorWrites) {
		a.writeCursor()
	}
}

// trim drops the records that exceed a limit and were not read yet. The cursor and the
// counters change together.
func (a *account) trim(maxBytes int64, oldest time.Time, o outcome) (dropped uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dropped, err = a.reader.Trim(maxBytes, oldest)
	a.state.Dropped[string(o)] += dropped
	if dropped > 0 {
		a.moves++
	}
	return dropped, err
}

// addFailure counts an attempt of which the sink did not accept all events.
func (a *account) addFailure() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.Failures++
}

// State returns the current counters, and the number of moves.
func (a *account) State() (_ metrics.SinkState, moves uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.state
	s.Dropped, s.Suppressed = maps.Clone(s.Dropped), maps.Clone(s.Suppressed)
	if backlog := a.reader.Backlog(); backlog > a.claimed {
		s.Waiting = backlog - a.claimed
	}
	s.LagBytes = a.reader.Lag()
	s.OldestInFlight = a.oldest()
	s.Events = s.Delivered + s.Filtered + s.DeadLettered + s.InFlight + s.Waiting
	for _, n := range s.Dropped {
		s.Events += n
	}
	for _, n := range s.Suppressed {
		s.Events += n
	}
	return s, a.moves
}

// oldest returns the time of receipt of the oldest event that was read and whose outcome is
// open, zero without one. The caller must hold mu.
func (a *account) oldest() time.Time {
	for _, b := range a.open {
		if b.replay {
			continue // their outcome was a dead letter
		}
		for i := b.counted; i < len(b.items); i++ {
			if !b.items[i].summary {
				return b.items[i].record.Time
			}
		}
	}
	return a.filling
}
