// SPDX-License-Identifier: Apache-2.0

// Package match decides whether an event is delivered to a sink: whether it passes the
// sink's filter, and whether it is suppressed as one of too many or as a repetition. It
// also extracts named parts of the text.
//
// The rules apply in this order: extract, filter, sample, dedup, rate limit. An event
// counts under the first rule that rejects it. Only events that pass all rules are
// recorded by dedup and use a token of the rate limit.
//
// The rules use the time of receipt, not the clock: a sink that catches up after an
// outage receives the same events as without an outage. The state is in memory: a
// restart begins with a full bucket and an empty window.
//
// A gap is filtered like an event, but never suppressed. The summaries that Summaries
// returns pass all rules.
package match

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// Options are the rules of one sink. The zero value passes everything.
type Options struct {
	Filter    string // an expression that is true for the events to deliver; empty means all
	Extract   string // a regular expression; its named groups become captures
	Sample    int    // one of this many events passes; 0 and 1 pass all
	RateLimit RateLimit
	Dedup     Dedup
}

// Rules evaluate the events of one sink. They are not safe for concurrent use. A nil
// *Rules is valid for a sink without rules.
type Rules struct {
	extract      *extractor
	filter       *expression
	env          *environments // of the filter
	extractFirst bool          // the filter uses the captures
	sample       uint64
	window       *window
	bucket       *bucket
	steady       func(time.Time) time.Time // converts times of receipt

	ledger ledger
}

// SetSteady sets a function that converts times of receipt to a clock that is never
// stepped. The rules measure intervals with it. Without it they use the times of
// receipt.
func (r *Rules) SetSteady(steady func(time.Time) time.Time) { r.steady = steady }

// SetNoCaptures sets the captures of an event that is not evaluated: all have an empty value. It is
// safe for concurrent use with the other methods.
func (r *Rules) SetNoCaptures(e *event.Event) {
	if r != nil && r.extract != nil {
		e.Captures = r.extract.empty
	}
}

// Evaluate returns the verdict for one event and sets its captures, which are parts of
// its text. Events must be passed in the order of receipt. If an expression fails for
// the event, the verdict is Pass and the error is an *Error.
func (r *Rules) Evaluate(e *event.Event) (Verdict, error) {
	if r.isEmpty() {
		return Pass, nil
	}
	if e.Suppressed != nil {
		r.SetNoCaptures(e)
		return Pass, nil
	}
	if !r.suppresses() {
		return r.evaluate(e, e.Time)
	}
	at := r.steady(e.Time)
	r.ledger.begin(at)
	v, err := r.evaluate(e, at)
	r.ledger.count(e, at, v)
	return v, err
}

func (r *Rules) isEmpty() bool {
	return r == nil || r.filter == nil && r.extract == nil && !r.suppresses()
}

func (r *Rules) suppresses() bool { return r.sample > 1 || r.window != nil || r.bucket != nil }

func (r *Rules) evaluate(e *event.Event, at time.Time) (Verdict, error) {
	e.Captures = nil
	if r.extract != nil && r.extractFirst {
		r.extract.apply(e)
	}
	passes, err := r.passesFilter(e)
	if !passes {
		return Filtered, nil
	}
	if r.extract != nil && !r.extractFirst {
		r.extract.apply(e)
	}
	if err != nil || e.Gap != nil {
		return Pass, err
	}
	return r.suppress(e, at)
}

// passesFilter also returns true without a filter, and after an error of the filter.
func (r *Rules) passesFilter(e *event.Event) (bool, error) {
	if r.filter == nil {
		return true, nil
	}
	value, err := r.filter.run(r.env.build(e, r.captures(e)))
	return err != nil || value == true, err
}

// captures returns the captures of e. It returns nothing before extract was applied to
// e.
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
		r.window.add(key, at)
	}
	return Pass, nil
}

// Summaries appends an event for each reason and completed period of suppression, and
// returns the extended slice. A period ends after ten seconds of the times of receipt,
// or after ten seconds of the clock, now. Call Summaries before an event that passes,
// and regularly while no event arrives. If end is true, all periods end.
func (r *Rules) Summaries(dst []event.Event, now time.Time, end bool) []event.Event {
	if r == nil || !r.suppresses() {
		return dst
	}
	first := len(dst)
	dst = r.ledger.appendCompleted(dst, now, end)
	for i := first; i < len(dst); i++ {
		r.SetNoCaptures(&dst[i])
	}
	return dst
}
