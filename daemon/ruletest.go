// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/match"
)

// RuleDifferences are what came out of one test and was not expected.
type RuleDifferences []*config.FieldError

// TestRules runs each test on new rules of the sinks and returns the differences of
// each; none for a test that is as expected. It opens nothing and touches no network.
// The error says what of the configuration or the tests cannot work, and is a
// config.Errors.
func TestRules(cfg *config.Config, tests *config.RuleTests) ([]RuleDifferences, error) {
	faults := append(ruleFaults(cfg), unknownSinks(cfg, tests)...)
	if len(faults) > 0 {
		faults.Sort()
		return nil, faults
	}
	all, compiler := make([]RuleDifferences, len(tests.Tests)), newCompiler(cfg)
	for i := range tests.Tests {
		for s := range cfg.Sinks {
			rules, err := newRules(&cfg.Sinks[s], compiler)
			if err != nil {
				return nil, err
			}
			run := ruleTest{tests: tests, at: fmt.Sprintf("tests[%d]", i), test: &tests.Tests[i], sink: cfg.Sinks[s].Name, rules: rules}
			all[i] = append(all[i], run.differences()...)
		}
		slices.SortStableFunc(all[i], func(a, b *config.FieldError) int { return a.Line - b.Line })
	}
	return all, nil
}

// ruleFaults are those of the sinks' rules alone: their files and programs may be
// on another machine.
func ruleFaults(cfg *config.Config) (faults config.Errors) {
	compiler := newCompiler(cfg)
	for i := range cfg.Sinks {
		_, err := newRules(&cfg.Sinks[i], compiler)
		faults = append(faults, sinkFaults(cfg, i, err)...)
	}
	return faults
}

func unknownSinks(cfg *config.Config, tests *config.RuleTests) (faults config.Errors) {
	known := make(map[string]bool)
	for _, s := range cfg.Sinks {
		known[s.Name] = true
	}
	check := func(name, path string, args ...any) {
		if !known[name] {
			faults = append(faults, tests.Fault(fmt.Sprintf(path, args...), "%s", cfg.NoSink(name)))
		}
	}
	for i, test := range tests.Tests {
		for j, e := range test.Events {
			for k, name := range e.Sinks {
				check(name, "tests[%d].events[%d].sinks[%d]", i, j, k)
			}
			for k, s := range e.Suppressed {
				check(s.Sink, "tests[%d].events[%d].suppressed[%d].sink", i, j, k)
			}
			for k, c := range e.Captures {
				check(c.Sink, "tests[%d].events[%d].captures[%d].sink", i, j, k)
			}
		}
	}
	return faults
}

// A ruleTest is one test at one sink.
type ruleTest struct {
	tests *config.RuleTests
	at    string
	test  *config.RuleTest
	sink  string
	rules *match.Rules

	now time.Time
	seq uint64
}

func (t *ruleTest) differences() (list RuleDifferences) {
	t.now = time.Time(t.test.Start)
	for i := range t.test.Events {
		want := &t.test.Events[i]
		t.now = t.now.Add(time.Duration(want.After))
		for _, text := range t.compare(want, t.judge(want)) {
			list = append(list, t.tests.Fault(fmt.Sprintf("%s.events[%d]", t.at, i), "%q: sink %s: %s", t.test.Name, t.sink, text))
		}
	}
	return list
}

// An outcome is what became of an event and its repetitions.
type outcome struct {
	verdicts map[match.Verdict]int
	captures map[string]string // of the first
	err      error             // the first
}

func (t *ruleTest) judge(want *config.RuleTestEvent) outcome {
	got := outcome{verdicts: make(map[match.Verdict]int), captures: make(map[string]string)}
	for i := range want.Repeat {
		e := t.next(want)
		verdict, err := t.rules.Evaluate(e)
		got.verdicts[verdict]++
		if got.err == nil {
			got.err = err
		}
		for _, c := range e.Captures {
			if i == 0 {
				got.captures[c.Name] = string(c.Value)
			}
		}
	}
	return got
}

func (t *ruleTest) next(want *config.RuleTestEvent) *event.Event {
	t.seq++
	e := &event.Event{
		JournalID: "test", Seq: t.seq, Time: t.now, KernelSeq: uint64(want.KernelSeq),
		Host: want.Host, Family: genl.FamilyName, Group: genl.GroupName, Message: []byte(want.Message),
	}
	if want.Gap.Count > 0 {
		e.Gap = &event.Gap{Count: uint64(want.Gap.Count), Reason: want.Gap.Reason, From: t.now, To: t.now}
	}
	return e
}

// compare says each difference as a text.
func (t *ruleTest) compare(want *config.RuleTestEvent, got outcome) (texts []string) {
	var fault *match.Error
	if errors.As(got.err, &fault) {
		texts = append(texts, fmt.Sprintf("%s fails: %v", fault.Key, fault.Err))
	}
	expected := t.expected(want)
	if a, b := counts(expected), counts(got.verdicts); a != b {
		texts = append(texts, fmt.Sprintf("want %s, got %s", a, b))
	}
	for _, c := range want.Captures {
		if value := got.captures[c.Name]; c.Sink == t.sink && value != c.Value {
			texts = append(texts, fmt.Sprintf("want %q for captures.%s, got %q", c.Value, c.Name, value))
		}
	}
	return texts
}

func (t *ruleTest) expected(want *config.RuleTestEvent) map[match.Verdict]int {
	verdicts := make(map[match.Verdict]int)
	rest := want.Repeat
	for _, s := range want.Suppressed {
		if s.Sink == t.sink {
			verdicts[verdictOf(string(s.Reason))] += s.Count
			rest -= s.Count
		}
	}
	if slices.Contains(want.Sinks, t.sink) {
		verdicts[match.Pass] = rest
	} else {
		verdicts[match.Filtered] = rest
	}
	return verdicts
}

// verdictOf is the inverse of Verdict.Reason.
func verdictOf(reason string) match.Verdict {
	return match.SampledOut + match.Verdict(slices.Index(match.Reasons(), reason))
}

// counts says how many events had each verdict.
func counts(verdicts map[match.Verdict]int) string {
	var parts []string
	for v := match.Pass; v <= match.RateLimited; v++ {
		what := "suppressed by " + v.Reason()
		switch v {
		case match.Pass:
			what = "passed"
		case match.Filtered:
			what = "filtered"
		}
		if n := verdicts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	return strings.Join(parts, ", ")
}
