// SPDX-License-Identifier: Apache-2.0

// Package ruletest runs the tests that an operator writes for the rules of sinks.
package ruletest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/internal/sorting"
)

// Differences are the faults of one test: the results that the test does not expect.
type Differences []*config.FieldError

// Run runs each test on new rules of each sink and returns the differences of each test,
// which are empty if the test passes. It opens no file and does not use the network. The
// error is a config.Errors with all faults of the rules and the tests.
func Run(cfg *config.Config, tests *config.RuleTests) ([]Differences, error) {
	specs, faults := families.LoadSpecs(cfg)
	compiler := pipeline.NewCompiler(cfg, specs) // which compiles each text once
	contents := &contents{cfg: cfg, specs: specs, tests: tests}
	faults = slices.Concat(faults, ruleFaults(cfg, compiler), unknownSinks(cfg, tests), contents.faults())
	if len(faults) > 0 {
		faults.Sort()
		return nil, faults
	}
	all := make([]Differences, len(tests.Tests))
	for i := range tests.Tests {
		for s := range cfg.Sinks {
			rules, err := pipeline.NewRules(&cfg.Sinks[s], compiler)
			if err != nil {
				return nil, err
			}
			run := sinkTest{
				tests: tests, at: fmt.Sprintf("tests[%d]", i), test: &tests.Tests[i], sink: cfg.Sinks[s].Name, rules: rules, contents: contents,
			}
			all[i] = append(all[i], run.differences()...)
		}
		sorting.Stable(all[i], func(a, b *config.FieldError) int { return a.Line - b.Line })
	}
	return all, nil
}

// ruleFaults returns the faults of the rules of all sinks. It checks rules only: the files
// and programs of the sinks may be on another machine.
func ruleFaults(cfg *config.Config, compiler *match.Compiler) (faults config.Errors) {
	for i := range cfg.Sinks {
		_, err := pipeline.NewRules(&cfg.Sinks[i], compiler)
		faults = append(faults, pipeline.Faults(cfg, i, err)...)
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

// A sinkTest is one test of the rules of one sink.
type sinkTest struct {
	tests *config.RuleTests
	at    string
	test  *config.RuleTest
	sink  string
	rules *match.Rules

	contents *contents

	now time.Time
	seq uint64
}

func (t *sinkTest) differences() (list Differences) {
	t.now = time.Time(t.test.Start)
	for i := range t.test.Events {
		want := &t.test.Events[i]
		t.now = t.now.Add(time.Duration(want.After))
		for _, text := range t.compare(want, t.evaluate(want)) {
			list = append(list, t.tests.Fault(fmt.Sprintf("%s.events[%d]", t.at, i), "%q: sink %s: %s", t.test.Name, t.sink, text))
		}
	}
	return list
}

// An outcome is the result of an event and its repetitions.
type outcome struct {
	verdicts map[match.Verdict]int
	captures map[string]string // of the first event
	err      error             // the first error
}

func (t *sinkTest) evaluate(want *config.RuleTestEvent) outcome {
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

func (t *sinkTest) next(want *config.RuleTestEvent) *event.Event {
	t.seq++
	e := &event.Event{
		JournalID: "test", Seq: t.seq, Time: t.now, KernelSeq: uint64(want.KernelSeq),
		Host: want.Host, Family: want.Family, Group: t.contents.group(want),
	}
	switch {
	case want.Gap.Count > 0:
		e.Gap = &event.Gap{Count: uint64(want.Gap.Count), Reason: want.Gap.Reason, From: t.now, To: t.now}
	case want.Family == config.Genltest:
		e.Message = []byte(want.Message)
	default:
		e.Content = t.contents.of(want)
	}
	return e
}

// compare returns a text for each difference.
func (t *sinkTest) compare(want *config.RuleTestEvent, got outcome) (texts []string) {
	var fault *match.Error
	if errors.As(got.err, &fault) {
		texts = append(texts, fmt.Sprintf("%s fails: %v", fault.Key, fault.Err))
	}
	expected := t.expected(want)
	if a, b := counts(expected), counts(got.verdicts); a != b {
		texts = append(texts, fmt.Sprintf("expected %s, got %s", a, b))
	}
	for _, c := range want.Captures {
		if value := got.captures[c.Name]; c.Sink == t.sink && value != c.Value {
			texts = append(texts, fmt.Sprintf("expected %q for captures.%s, got %q", c.Value, c.Name, value))
		}
	}
	return texts
}

func (t *sinkTest) expected(want *config.RuleTestEvent) map[match.Verdict]int {
	verdicts := make(map[match.Verdict]int)
	rest := want.Repeat
	for _, s := range want.Suppressed {
		if s.Sink == t.sink {
			verdicts[verdictOf(s.Reason)] += s.Count
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

// counts returns the number of events with each verdict as text.
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
