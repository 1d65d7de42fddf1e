// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

func TestLoadRuleTests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	const text = `- name: a
  events:
    - message: x
    - {gap: {count: 3}, sinks: [a, b], host: h, kernel_seq: 7, after: 5m, repeat: 3}
- name: b
  start: 2026-01-31T08:00:00+01:00
  events:
    - {family: ethtool, group: monitor, command: pause-ntf, attributes: {header: {dev-name: eth0}, rx: 1}}
    - suppressed: [{sink: a, reason: dedup}]
      captures: [{sink: a, name: unit, value: ssh}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRuleTests(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := RuleTestEvent{Family: Genltest, Host: "localhost", Repeat: 1, Gap: RuleTestGap{Reason: "kernel_buffer"}}
	x, gap, pause, last := plain, plain, plain, plain
	pause.Family, pause.Group, pause.Command = "ethtool", "monitor", "pause-ntf"
	pause.Attributes = strict.Object{{Key: "header", Value: strict.Object{{Key: "dev-name", Value: "eth0"}}}, {Key: "rx", Value: int64(1)}}
	x.Message = "x"
	gap.Gap.Count, gap.Sinks, gap.Host, gap.KernelSeq, gap.After, gap.Repeat = 3, []string{"a", "b"}, "h", 7, value.Duration(5*time.Minute), 3
	last.Suppressed = []RuleTestSuppressed{{Sink: "a", Reason: "dedup", Count: 1}}
	last.Captures = []RuleTestCapture{{Sink: "a", Name: "unit", Value: "ssh"}}
	want := &RuleTests{Tests: []RuleTest{
		{Name: "a", Start: Time(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), Events: []RuleTestEvent{x, gap}},
		{Name: "b", Start: Time(time.Date(2026, 1, 31, 7, 0, 0, 0, time.UTC)), Events: []RuleTestEvent{pause, last}},
	}}
	times := cmp.Comparer(func(a, b Time) bool { return time.Time(a).Equal(time.Time(b)) })
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(RuleTests{}), times); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	if _, err := LoadRuleTests(path + "x"); !errors.Is(err, fs.ErrNotExist) || err.Error() != path+"x: no such file or directory" {
		t.Errorf("a missing file: %v", err)
	}
	if got := got.Fault("tests[1].events[1].captures[0].name", "odd").Error(); got != path+":10:34: tests[1].events[1].captures[0].name: odd" {
		t.Errorf("a fault: %s", got)
	}
}

func TestErrorsOfRuleTests(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `t.yaml: tests: is empty; begin each test with "- name: "`},
		{"[]", `t.yaml:1:1: tests: is empty; begin each test with "- name: "`},
		{
			"tests: []",
			`t.yaml:1:1: tests: is a group of keys, but must be a list; write each entry as "- name: ..." with its keys below`,
		},
		{"- name: a", `t.yaml:1:3: tests[0].events: is empty; give at least one event`},
		{"- events: [{}]", `t.yaml:1:3: tests[0].name: is missing; give one, such as "disk errors go to the pager"`},
		{"- {name: a, evnts}", `t.yaml:1:13: tests[0].evnts: unknown key; did you mean "events"?`},
		{
			"- {name: a, start: today, events: [{}]}",
			`t.yaml:1:20: tests[0].start: "today" is not a time; write one like 2026-01-31T08:00:00Z`,
		},
		{
			"- {name: a, events: [{sinks: out}]}",
			`t.yaml:1:30: tests[0].events[0].sinks: is a single value, but must be a list; ` +
				`write sinks: [FIRST, SECOND], with quotes around an entry that has spaces`,
		},
		{
			"- {name: a, events: [{sinks: [5]}]}",
			`t.yaml:1:31: tests[0].events[0].sinks[0]: is the number 5, but must be text; if this is intended, quote it: "5"`,
		},
		{"- {name: a, events: [{repeat: 0}]}", `t.yaml:1:31: tests[0].events[0].repeat: 0 is out of range; write 1 to 1000000`},
		{
			"- {name: a, events: [{message: x, gap: {count: 1}}]}",
			`t.yaml:1:32: tests[0].events[0].message: a gap does not have a text; leave out one of them`,
		},
		{
			"- {name: a, events: [{suppressed: [{sink: b}]}]}",
			`t.yaml:1:36: tests[0].events[0].suppressed[0].reason: is missing; give one, such as "rate_limit"`,
		},
		{
			"- {name: a, events: [{suppressed: [{sink: b, reason: rate}]}]}",
			`t.yaml:1:54: tests[0].events[0].suppressed[0].reason: "rate" is not known; write sample, dedup or rate_limit`,
		},
		{
			"- {name: a, events: [{suppressed: [{sink: b, reason: dedup}, {sink: b, reason: rate_limit}]}]}",
			`t.yaml:1:62: tests[0].events[0].suppressed[1]: 2 of 1 events cannot be suppressed; repeat the event as often`,
		},
		{
			"- {name: a, events: [{command: x}]}",
			`t.yaml:1:32: tests[0].events[0].command: events of genltest have a message only; ` +
				`write the family of the event, such as family: ethtool`,
		},
		{
			"- {name: a, events: [{attributes: {a: 1}}]}",
			`t.yaml:1:35: tests[0].events[0].attributes: events of genltest have a message only; ` +
				`write the family of the event, such as family: ethtool`,
		},
		{
			"- {name: a, events: [{family: ethtool}]}",
			`t.yaml:1:22: tests[0].events[0].command: is missing; write the command of the event, such as link-ntf`,
		},
		{
			"- {name: a, events: [{family: ethtool, message: x}]}",
			`t.yaml:1:49: tests[0].events[0].message: events of "ethtool" do not have a text; write command and attributes`,
		},
		{
			"- {name: a, events: [{family: ethtool, command: x, gap: {count: 1}}]}",
			`t.yaml:1:49: tests[0].events[0].command: a gap does not have a command and attributes; leave out one of them`,
		},
		{
			"- {name: a, events: [{family: ethtool, command: x, attributes: {a: 1.5}}]}",
			`t.yaml:1:68: tests[0].events[0].attributes.a: is the number 1.5, but must be a whole number, true, false or a text; quote a text`,
		},
		{
			"- {name: a, events: [{family: ethtool, command: x, attributes: [a]}]}",
			`t.yaml:1:64: tests[0].events[0].attributes: is a list, but must have keys and values, such as {name: eth0}`,
		},
	} {
		_, err := ParseRuleTests("t.yaml", []byte(tt.text))
		if err == nil {
			t.Errorf("%s: no fault", tt.text)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func FuzzParseRuleTests(f *testing.F) {
	f.Add([]byte("- {name: a, start: 2026-01-31T08:00:00Z, events: [{sinks: [a], suppressed: [{sink: b, reason: dedup, count: 2}]}]}"))
	f.Add([]byte("- {name: a, events: [{family: f, command: c, attributes: {a: {b: [1, x, true, -5, {}]}, 17: '0a'}}]}"))
	f.Add([]byte("- {name: a, events: [{family: f, command: c, attributes: &a {b: *a, <<: [{c: 1}]}}]}"))
	f.Add([]byte("- &a {name: a, events: [*a]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("ParseRuleTests hangs") })
		defer watchdog.Stop()
		tests, err := ParseRuleTests("fuzz.yaml", text)
		if err != nil {
			checkErrors(t, err)
			return
		}
		for _, test := range tests.Tests {
			if test.Name == "" || len(test.Events) == 0 {
				t.Errorf("a test without name or events: %+v", test)
			}
		}
	})
}
