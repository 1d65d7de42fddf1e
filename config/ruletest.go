// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"time"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// RuleTests are an operator's tests of the rules of the sinks. A file contains a list of
// them.
type RuleTests struct {
	Tests []RuleTest `yaml:"tests"`

	report *strict.Report
}

// A RuleTest applies rules, which have not seen any event, to a sequence of events.
type RuleTest struct {
	Name string `yaml:"name" required:"true" example:"disk errors go to the pager" name:"true"`
	// Start is the time when the first event is received.
	Start  Time            `yaml:"start" default:"2026-01-01T00:00:00Z"`
	Events []RuleTestEvent `yaml:"events"`
}

// A RuleTestEvent is an event, or Repeat equal events, with the expected result.
type RuleTestEvent struct {
	Message string `yaml:"message" default:""` // of the family genltest
	Family  string `yaml:"family" default:"genltest"`
	// Group is the multicast group; empty means the first configured or known group of the
	// family.
	Group string `yaml:"group" default:""`
	// Command and Attributes are the message of another family, as the sinks write it.
	Command    string        `yaml:"command" default:""`
	Attributes strict.Object `yaml:"attributes"`

	Host      string      `yaml:"host" default:"localhost"`
	KernelSeq int         `yaml:"kernel_seq" default:"0" min:"0"`
	Gap       RuleTestGap `yaml:"gap"`
	// After is the time since the previous event. Repeat does not change it.
	After  value.Duration `yaml:"after" default:"0" min:"0" max:"87600h"`
	Repeat int            `yaml:"repeat" default:"1" min:"1" max:"1000000"`

	// Sinks receive each of the events that Suppressed does not contain. Other sinks receive
	// no event.
	Sinks      []string             `yaml:"sinks"`
	Suppressed []RuleTestSuppressed `yaml:"suppressed"`
	Captures   []RuleTestCapture    `yaml:"captures"`
}

// RuleTestGap makes the event a report of lost events, unless Count is 0.
type RuleTestGap struct {
	Count  int    `yaml:"count" default:"0" min:"0"`
	Reason string `yaml:"reason" default:"kernel_buffer"`
}

// RuleTestSuppressed is the number of repetitions of an event that a sink does not receive.
type RuleTestSuppressed struct {
	Sink   string `yaml:"sink" required:"true" example:"pager"`
	Reason string `yaml:"reason" required:"true" example:"rate_limit" oneof:"sample dedup rate_limit"`
	Count  int    `yaml:"count" default:"1" min:"1" max:"1000000"`
}

// RuleTestCapture is a capture that the rules of a sink extract from the text of an event.
type RuleTestCapture struct {
	Sink  string `yaml:"sink" required:"true" example:"pager"`
	Name  string `yaml:"name" required:"true" example:"disk" name:"true"`
	Value string `yaml:"value" default:""`
}

// Time is a time.Time that reads "2026-01-31T08:00:00Z".
type Time time.Time

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("%s is not a time; write one like 2026-01-31T08:00:00Z", strict.Quote(string(text)))
	}
	*t = Time(v.UTC())
	return nil
}

func (t Time) String() string { return time.Time(t).Format(time.RFC3339Nano) }

// LoadRuleTests reads and checks the regular file at path. The error wraps that of the system,
// or is an Errors.
func LoadRuleTests(path string) (*RuleTests, error) {
	in := readInput(path)
	if in.err != nil {
		return nil, fmt.Errorf("%s: %w", path, in.err)
	}
	return ParseRuleTests(path, in.text)
}

// ParseRuleTests reads and checks the text of such a file; errors contain name as the name of
// the file. The error is an Errors with every fault of the text.
func ParseRuleTests(name string, text []byte) (*RuleTests, error) {
	t := &RuleTests{report: strict.NewReport(name, &strict.Costs{}, nil)}
	t.report.Decode(text, &t.Tests, "tests")
	t.report.Check(t)
	if err := strict.Err(t.report); err != nil {
		return nil, err
	}
	return t, nil
}

// Fault returns an error about a test or its result. The path is like tests[1].events[0].
func (t *RuleTests) Fault(path, format string, args ...any) *FieldError {
	return t.report.Fault(path, format, args...)
}

var _ = []strict.Checker{(*RuleTests)(nil), (*RuleTest)(nil), (*RuleTestEvent)(nil)}

// Check implements strict.Checker.
func (t *RuleTests) Check(s strict.Section) {
	if len(t.Tests) == 0 {
		s.Errorf("tests", `is empty; begin each test with "- name: "`)
	}
}

// Check implements strict.Checker.
func (t *RuleTest) Check(s strict.Section) {
	if len(t.Events) == 0 && !s.HasUnknownKey() {
		s.Errorf("events", "is empty; give at least one event")
	}
}

// Check implements strict.Checker.
func (e *RuleTestEvent) Check(s strict.Section) {
	counts := make(map[string]int)
	for i, suppressed := range e.Suppressed {
		path := fmt.Sprintf("suppressed[%d]", i)
		counts[suppressed.Sink] += suppressed.Count
		if counts[suppressed.Sink] > e.Repeat && s.Read("repeat", path+".count") {
			s.Errorf(path, "%d of %d events cannot be suppressed; repeat the event as often", counts[suppressed.Sink], e.Repeat)
		}
	}
	if e.Gap.Count > 0 && e.Message != "" {
		s.Errorf("message", "a gap does not have a text; leave out one of them")
	}
	e.checkContent(s)
}

// checkContent checks the keys of which each family has only some.
func (e *RuleTestEvent) checkContent(s strict.Section) {
	hasContent := e.Command != "" || len(e.Attributes) > 0
	key := "command"
	if e.Command == "" {
		key = "attributes"
	}
	switch {
	case hasContent && e.Family == Genltest:
		s.Errorf(key, "events of %s have a message only; write the family of the event, such as family: ethtool", Genltest)
	case hasContent && e.Gap.Count > 0:
		s.Errorf(key, "a gap does not have a command and attributes; leave out one of them")
	case e.Message != "" && e.Family != Genltest:
		s.Errorf("message", "events of %s do not have a text; write command and attributes", strict.Quote(e.Family))
	case e.Command == "" && e.Family != Genltest && e.Gap.Count == 0 && s.Read("family"):
		s.Errorf("command", "is missing; write the command of the event, such as link-ntf")
	}
}
