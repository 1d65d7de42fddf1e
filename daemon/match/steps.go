// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// The results of a Step.
const (
	StepApplied = "applied" // extract has set the captures
	StepPasses  = "passes"
	StepRejects = "rejects"
	StepFails   = "fails"   // an expression failed; the event passes
	StepDepends = "depends" // on the events before it, which are not known any more
)

// A Step is what one rule does with an event.
type Step struct {
	Rule     string // extract, filter, sample, dedup or rate_limit
	Result   string
	Text     string          // for people; safe to show
	Captures []event.Capture // of extract
	Filter   *Part           // of filter
}

// Explain returns what each rule does with one event, in order, up to the rule that rejects
// it. dedup and rate_limit depend on the events before it. The error is that of Compile.
func (c *Compiler) Explain(o Options, e *event.Event) (steps []Step, err error) {
	rules, err := c.Compile(o)
	if err != nil {
		return nil, err
	}
	e.Captures = nil
	if rules.extract != nil {
		rules.extract.apply(e)
		steps = append(steps, Step{Rule: "extract", Result: StepApplied, Captures: e.Captures})
	}
	if rules.filter != nil {
		step, passes, err := c.filterStep(o, rules, e)
		if steps = append(steps, step); err != nil || !passes {
			return steps, err
		}
	}
	if e.Gap != nil {
		return steps, nil // never suppressed
	}
	if rules.sample > 1 {
		step := Step{Rule: "sample", Result: StepPasses, Text: fmt.Sprintf("1 of %d events passes, chosen by the id", rules.sample)}
		if !Sampled(e, rules.sample) {
			step.Result = StepRejects
		}
		if steps = append(steps, step); step.Result == StepRejects {
			return steps, nil
		}
	}
	if rules.window != nil {
		text := fmt.Sprintf("depends on the events before it: rejects an event within %s of another one with the same key", o.Dedup.Window)
		steps = append(steps, Step{Rule: "dedup", Result: StepDepends, Text: text + rules.dedupKey(e)})
	}
	if rules.bucket != nil {
		text := fmt.Sprintf("depends on the events before it: %d events pass in %s", o.RateLimit.Events, o.RateLimit.Per)
		steps = append(steps, Step{Rule: "rate_limit", Result: StepDepends, Text: text})
	}
	return steps, nil
}

func (c *Compiler) filterStep(o Options, rules *Rules, e *event.Event) (s Step, passes bool, err error) {
	s = Step{Rule: "filter", Result: StepPasses, Text: visible(o.Filter)}
	passes, failed := rules.passesFilter(e)
	switch {
	case failed != nil:
		s.Result, s.Text = StepFails, failed.Error()+"; the event passes"
	case !passes:
		s.Result = StepRejects
	}
	s.Filter, err = c.Trace(o.Filter, o.Extract, e)
	return s, passes, err
}

// dedupKey returns the key of an event, for people.
func (r *Rules) dedupKey(e *event.Event) string {
	if r.window.key == nil {
		return ", which is the text"
	}
	value, err := r.window.key.run(r.window.env.build(e, r.captures(e)))
	if err != nil {
		return fmt.Sprintf("; %v, so the event passes", err)
	}
	return ", here " + shownValue(value)
}

// Sampled reports whether an event is in the sample of one of n.
func Sampled(e *event.Event, n uint64) bool { return n <= 1 || sampled(e, n) }
