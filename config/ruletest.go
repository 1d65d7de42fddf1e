// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"time"
)

// RuleTests are the tests that an operator writes for the rules of the sinks: a
// list of them is a file.
type RuleTests struct {
	Tests []RuleTest `yaml:"tests"`

	source *report
}

// A RuleTest has events follow one another, before rules that know of none.
type RuleTest struct {
	Name string `yaml:"name" required:"true" example:"disk errors go to the pager"`
	// Start is when the first event is received.
	Start  Time            `yaml:"start" default:"2026-01-01T00:00:00Z"`
	Events []RuleTestEvent `yaml:"events"`
}

// A RuleTestEvent is an event, or as many as Repeat, and what is to become of it.
type RuleTestEvent struct {
	Message   string      `yaml:"message" default:""`
	Host      string      `yaml:"host" default:"localhost"`
	KernelSeq int         `yaml:"kernel_seq" default:"0" min:"0"`
	Gap       RuleTestGap `yaml:"gap"`
	// After is the time since the event before, which Repeat does not change.
	After  Duration `yaml:"after" default:"0" min:"0" max:"87600h"`
	Repeat int      `yaml:"repeat" default:"1" min:"1" max:"1000000"`

	// Sinks get each of the events that is not said to be suppressed; others get
	// none.
	Sinks      []string             `yaml:"sinks"`
	Suppressed []RuleTestSuppressed `yaml:"suppressed"`
	Captures   []RuleTestCapture    `yaml:"captures"`
}

// RuleTestGap makes the news of a loss of an event, unless Count is 0.
type RuleTestGap struct {
	Count  int    `yaml:"count" default:"0" min:"0"`
	Reason string `yaml:"reason" default:"kernel_buffer"`
}

// RuleTestSuppressed says how many of an event's repetitions a sink does not get.
type RuleTestSuppressed struct {
	Sink   string         `yaml:"sink" required:"true" example:"pager"`
	Reason SuppressReason `yaml:"reason" required:"true" example:"rate_limit"`
	Count  int            `yaml:"count" default:"1" min:"1" max:"1000000"`
}

// RuleTestCapture says what the rules of a sink take out of an event's text.
type RuleTestCapture struct {
	Sink  string `yaml:"sink" required:"true" example:"pager"`
	Name  string `yaml:"name" required:"true" example:"disk"`
	Value string `yaml:"value" default:""`
}

// SuppressReason is a rule that suppresses events.
type SuppressReason string

// UnmarshalText refuses what is no such rule.
func (r *SuppressReason) UnmarshalText(text []byte) error {
	return oneOf(r, text, "sample", "dedup", "rate_limit")
}

// Time is a time.Time that reads "2026-01-31T08:00:00Z".
type Time time.Time

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("%s is not a time; write one like 2026-01-31T08:00:00Z", quote(string(text)))
	}
	*t = Time(v.UTC())
	return nil
}

func (t Time) String() string { return time.Time(t).Format(time.RFC3339Nano) }

// LoadRuleTests reads and checks the regular file at path. Its error wraps that of
// the system, or is an Errors.
func LoadRuleTests(path string) (*RuleTests, error) {
	in := readInput(path)
	if in.err != nil {
		return nil, fmt.Errorf("%s: %w", path, in.err)
	}
	return ParseRuleTests(path, in.text)
}

// ParseRuleTests reads and checks the text of such a file; name stands for it in
// errors. The error is an Errors with every fault of the text.
func ParseRuleTests(name string, text []byte) (*RuleTests, error) {
	t := &RuleTests{source: newReport(name, &costs{})}
	v := reflect.ValueOf(t).Elem()
	if root := t.source.document(text); root != nil {
		t.source.values["tests"] = spotOf(root)
		newDecoder(t.source).value(root, v.FieldByName("Tests"), "tests")
	}
	t.source.check(v, "")
	t.source.noteUnquoted()
	if err := t.source.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Fault returns what is wrong with a test, or comes out of it: the path is like
// tests[1].events[0].
func (t *RuleTests) Fault(path, format string, args ...any) *FieldError {
	return t.source.fault(path, format, args...)
}

var _ = []checker{(*RuleTests)(nil), (*RuleTest)(nil), (*RuleTestEvent)(nil)}

func (t *RuleTests) check(s section) {
	if len(t.Tests) == 0 {
		s.errorf("tests", `is empty; begin each test with "- name: "`)
	}
}

func (t *RuleTest) check(s section) {
	if len(t.Events) == 0 && !s.odd[s.path] {
		s.errorf("events", "is empty; give at least one event")
	}
}

func (e *RuleTestEvent) check(s section) {
	counts := make(map[string]int)
	for i, suppressed := range e.Suppressed {
		path := fmt.Sprintf("suppressed[%d]", i)
		counts[suppressed.Sink] += suppressed.Count
		if counts[suppressed.Sink] > e.Repeat && s.read("repeat", path+".count") {
			s.errorf(path, "%d of %d events cannot be suppressed; repeat the event as often", counts[suppressed.Sink], e.Repeat)
		}
	}
	if e.Gap.Count > 0 && e.Message != "" {
		s.errorf("message", "a gap has no text; leave out one of them")
	}
}
