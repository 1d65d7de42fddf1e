// SPDX-License-Identifier: Apache-2.0

// Package match decides what becomes of each event of one sink before it is
// delivered: whether the sink's filter asks for it, and whether it is suppressed
// because there are too many or it was there already. It takes named parts out of
// the text on the way.
//
// The rules apply in this order: extract, filter, sample, dedup, rate limit. An
// event counts under the first that keeps it. What dedup remembers, and what costs
// a token of the rate limit, has passed all of them.
//
// Time is when an event was received, never the clock: a sink that catches up
// after an outage gets what it would have got without one. State is in memory: a
// restart begins with a full bucket and an empty window.
//
// The news of a loss, a gap, passes the filter or not like any event, but is never
// suppressed. The summary of suppressed events, that Summaries returns, passes all.
package match

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// Options are the rules of one sink. The zero value passes everything.
type Options struct {
	Filter    string // an expression that is true for what the sink is to get; empty is true
	Extract   string // a regular expression; its named groups become captures
	Sample    int    // pass one event of so many; 0 and 1 pass all
	RateLimit RateLimit
	Dedup     Dedup
}

// Rules judge the events of one sink. They are not safe for concurrent use. Nil is
// good for a sink without rules.
type Rules struct {
	extract *extractor
	filter  *expression
	env     *environ // of the filter
	early   bool     // the filter needs the captures
	sample  uint64
	window  *window
	bucket  *bucket
	steady  func(time.Time) time.Time // of times of receipt

	ledger ledger
}

// Follow has the rules measure the time between events by what steady makes of their
// times: a clock that is not stepped. Without it they trust the clock.
func (r *Rules) Follow(steady func(time.Time) time.Time) { r.steady = steady }

// Evaluate decides about one event and sets its captures; these are parts of its
// text. Events come in the order in which they were received. An expression that
// fails for this event keeps nothing from the sink: the verdict is Pass then, and
// the error an *Error.
func (r *Rules) Evaluate(e *event.Event) (Verdict, error) {
	if r.none() {
		return Pass, nil
	}
	if e.Suppressed != nil {
		r.blankCaptures(e)
		return Pass, nil
	}
	if !r.suppresses() {
		return r.evaluate(e, e.Time)
	}
	at := r.steady(e.Time)
	r.ledger.begin(at)
	v, err := r.evaluate(e, at)
	r.ledger.note(e, at, v)
	return v, err
}

func (r *Rules) none() bool {
	return r == nil || r.filter == nil && r.extract == nil && !r.suppresses()
}

func (r *Rules) suppresses() bool { return r.sample > 1 || r.window != nil || r.bucket != nil }

func (r *Rules) evaluate(e *event.Event, at time.Time) (Verdict, error) {
	e.Captures = nil
	if r.extract != nil && r.early {
		r.extract.apply(e)
	}
	wanted, err := r.wants(e)
	if !wanted {
		return Filtered, nil
	}
	if r.extract != nil && !r.early {
		r.extract.apply(e)
	}
	if err != nil || e.Gap != nil {
		return Pass, err
	}
	return r.suppress(e, at)
}

func (r *Rules) blankCaptures(e *event.Event) {
	if r.extract != nil {
		r.extract.apply(e)
	}
}

// wants is true without a filter, and with one that fails.
func (r *Rules) wants(e *event.Event) (bool, error) {
	if r.filter == nil {
		return true, nil
	}
	value, err := r.filter.run(r.env.of(e, r.captures(e)))
	return err != nil || value == true, err
}

// captures are those that e has: none while extract was not applied to it.
func (r *Rules) captures(e *event.Event) []string {
	if r.extract == nil {
		return nil
	}
	return r.extract.captures(e)
}

func (r *Rules) suppress(e *event.Event, at time.Time) (Verdict, error) {
	if r.sample > 1 && !sampled(e, r.sample) {
		return SampledOut, nil
	}
	var key digest
	if r.window != nil {
		var err error
		if key, err = r.window.digest(e, r.captures(e)); err != nil {
			return Pass, err
		}
		if r.window.repeats(key, at) {
			return Repeated, nil
		}
	}
	if r.bucket != nil && !r.bucket.take(at) {
		return RateLimited, nil
	}
	if r.window != nil {
		r.window.pass(key, at)
	}
	return Pass, nil
}

// Summaries appends to dst an event for each reason and period of suppression that
// is due, and returns the extended slice. A period lasts ten seconds, by receipt or
// by the clock, now, whichever ends first, so call it before an event that passes,
// and at times when none comes; all are due at the end.
func (r *Rules) Summaries(dst []event.Event, now time.Time, end bool) []event.Event {
	if r == nil || !r.suppresses() {
		return dst
	}
	first := len(dst)
	dst = r.ledger.take(dst, now, end)
	for i := first; i < len(dst); i++ {
		r.blankCaptures(&dst[i])
	}
	return dst
}
