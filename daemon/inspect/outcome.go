// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/metrics"
)

// facts are what a sink knows about one event. A sink stores no outcome of single events, except
// for dead letters, so decide concludes it from the position of the cursor.
type facts struct {
	seq      uint64
	steps    []match.Step // of the present rules
	letter   *deadletter.Letter
	passed   bool   // the cursor has passed the event
	ahead    uint64 // records between the cursor and the event
	progress delivery.Progress
	attempts []delivery.Attempt // that may contain the event, the oldest first
	state    metrics.SinkState
	earlier  bool // the event was received before the daemon was started
	started  time.Time
	reloaded bool // the configuration was reloaded after the event was received
	loaded   time.Time
}

// decide sets the outcome.
func (f *facts) decide(o *api.SinkOutcome) {
	rejecting := f.rejecting()
	switch {
	case f.letter != nil:
		o.Outcome = api.OutcomeDeadLettered
		o.Text = fmt.Sprintf("the sink has refused the event; genltestctl dlq show %s %s", o.Sink, f.letter.ID)
	case f.passed:
		f.decidePassed(o, rejecting)
	case f.progress == delivery.InFlight:
		o.Outcome, o.Text = api.OutcomeInFlight, "the event is being delivered, or waits for the next attempt"
	case f.progress == delivery.Delivered:
		o.Outcome, o.Text = api.OutcomeDelivered, "the sink has accepted the event"
	case f.progress == delivery.DeadLettered:
		o.Outcome, o.Text = api.OutcomeDeadLettered, "the sink has refused the event"
	case f.progress == delivery.Dropped:
		f.setDropped(o)
	case f.progress == delivery.Rejected:
		f.setRejected(o, rejecting)
	default:
		o.Outcome, o.Ahead = api.OutcomeWaiting, f.ahead
		o.Text = fmt.Sprintf("the sink has not finished it; events before it: %d", f.ahead)
		if rejecting != "" {
			o.Text += "; " + rejecting + " will reject it"
		}
	}
}

// rejecting returns the rule that rejects the event, or "" if that depends on other events.
func (f *facts) rejecting() string {
	if n := len(f.steps); n > 0 && f.steps[n-1].Result == match.StepRejects {
		return f.steps[n-1].Rule
	}
	return ""
}

// depending returns the rules that may have suppressed the event.
func (f *facts) depending() (rules []string) {
	for _, s := range f.steps {
		if s.Result == match.StepDepends {
			rules = append(rules, s.Rule)
		}
	}
	return rules
}

// decidePassed sets the outcome of an event that the cursor has passed and that is not a dead
// letter. Without another fact, the sink has accepted it.
func (f *facts) decidePassed(o *api.SinkOutcome, rejecting string) {
	switch last := f.lastAttempt(); {
	case last != nil && last.Dropped != "":
		f.setDropped(o)
	case rejecting != "":
		f.setRejected(o, rejecting)
		f.addRuleDoubts(o)
	case last != nil && last.Error == "" && len(f.depending()) == 0 && !f.reloaded:
		o.Outcome = api.OutcomeDelivered
		o.Text = "the sink has accepted the event at " + last.Time.UTC().Format(time.RFC3339)
	default:
		o.Outcome, o.Text = api.OutcomeDelivered, "the cursor of the sink has passed the event, and the event is not a dead letter"
		f.addRuleDoubts(o)
		f.addDoubts(o)
	}
}

// lastAttempt returns the last attempt that concerns the event, or nil.
func (f *facts) lastAttempt() *delivery.Attempt {
	if len(f.attempts) == 0 {
		return nil
	}
	return &f.attempts[len(f.attempts)-1]
}

func (f *facts) setDropped(o *api.SinkOutcome) {
	o.Outcome, o.Text = api.OutcomeDropped, "a limit of the sink has dropped the event"
	for _, a := range f.attempts {
		switch a.Dropped {
		case "":
		case metrics.DroppedSkipped:
			o.Text = "an operator has skipped the event at " + a.Time.UTC().Format(time.RFC3339)
		default:
			o.Text = fmt.Sprintf("%s has dropped the event at %s", a.Dropped, a.Time.UTC().Format(time.RFC3339))
		}
	}
}

// setRejected sets the outcome of an event that the rules have rejected.
func (f *facts) setRejected(o *api.SinkOutcome, rejecting string) {
	depending := f.depending()
	switch {
	case rejecting == "filter":
		o.Outcome, o.Text = api.OutcomeFiltered, "the filter rejects the event"
	case rejecting != "":
		o.Outcome, o.Text = api.OutcomeSuppressed, rejecting+" rejects the event"
	case len(depending) == 1:
		o.Outcome, o.Text = api.OutcomeSuppressed, depending[0]+" has suppressed the event"
	case len(depending) > 1:
		o.Outcome, o.Text = api.OutcomeSuppressed, "dedup or rate_limit has suppressed the event"
	default:
		o.Outcome, o.Text = api.OutcomeFiltered, "the rules before the last reload have rejected the event"
	}
}

// addRuleDoubts adds that other rules may have decided.
func (f *facts) addRuleDoubts(o *api.SinkOutcome) {
	switch {
	case f.earlier:
		o.Unless = append(o.Unless, "the process before "+f.started.UTC().Format(time.RFC3339)+
			" handled it: its rules, limits and dead letters are not known")
	case f.reloaded:
		o.Unless = append(o.Unless, "the rules before the reload at "+f.loaded.UTC().Format(time.RFC3339)+" decided")
	}
}

// addDoubts adds the other outcomes of an event that the sink may have accepted. A counter that
// is 0 excludes one, unless an earlier process may have counted.
func (f *facts) addDoubts(o *api.SinkOutcome) {
	const since = "%s %s it: %d events since the start of the daemon"
	for _, rule := range f.depending() {
		if n := f.state.Suppressed[rule]; n > 0 || f.earlier {
			o.Unless = append(o.Unless, fmt.Sprintf(since, rule, "suppressed", n))
		}
	}
	for _, limit := range slices.Sorted(maps.Keys(f.state.Dropped)) {
		switch n := f.state.Dropped[limit]; {
		case n == 0 || limit == metrics.DroppedJournal:
		case limit == metrics.DroppedSkipped:
			o.Unless = append(o.Unless, fmt.Sprintf(since, "an operator", "skipped", n))
		default:
			o.Unless = append(o.Unless, fmt.Sprintf(since, limit, "dropped", n))
		}
	}
	if n := f.state.DeadLettered; n > f.state.DeadLetters {
		o.Unless = append(o.Unless, "it was a dead letter that an operator has dropped or replayed, or that a limit has removed")
	}
}
