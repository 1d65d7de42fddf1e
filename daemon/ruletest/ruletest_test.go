// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sinks"
)

const ruleSinks = `sinks:
  - name: all
    stdout: {}
  - name: disks
    extract: '(?P<disk>sd[a-z])'
    filter: captures.disk != "" and time.Hour() < 12
    dedup: {window: 1m, key: captures.disk}
    rate_limit: {events: 2, per: 1h}
    stdout: {}
`

func ruleDifferences(t *testing.T, text string) string {
	t.Helper()
	cfg, err := config.Parse("c.yaml", []byte(ruleSinks), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	tests, err := config.ParseRuleTests("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Run(cfg, tests)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, differences := range all {
		for _, d := range differences {
			lines = append(lines, d.Error())
		}
	}
	return strings.Join(lines, "\n")
}

func TestTestsThatPassHaveNoDifferences(t *testing.T) {
	got := ruleDifferences(t, `
- name: new rules for each test
  events: [{message: sda, sinks: [all, disks], captures: [{sink: disks, name: disk, value: sda}, {sink: disks, name: none}]}]
- name: and again
  events: [{message: sda, sinks: [all, disks]}]
- name: the hour
  start: 2026-01-01T11:59:59Z
  events:
    - {message: sda, sinks: [all, disks]}
    - {message: sdb, after: 1s, sinks: [all]}
- name: dedup and the rate limit
  events:
    - {message: sda, repeat: 5, sinks: [all, disks], suppressed: [{sink: disks, reason: dedup, count: 4}]}
    - {message: sdb, sinks: [all, disks]}
    - {message: sdc, sinks: [all], suppressed: [{sink: disks, reason: rate_limit}]}
- name: a gap
  events: [{gap: {count: 3}, sinks: [all]}]
`)
	if got != "" {
		t.Errorf("differences:\n%s", got)
	}
}

func TestEachDifferenceIsNamed(t *testing.T) {
	got := ruleDifferences(t, `- name: wrong
  events:
    - {message: sda, sinks: [all], captures: [{sink: disks, name: disk, value: sdb}]}
    - {message: sdb, repeat: 3, sinks: [disks], suppressed: [{sink: disks, reason: rate_limit, count: 2}]}
- name: right
  events: [{message: x, sinks: [all]}]
- name: too much
  events:
    - {message: x, sinks: [all, disks]}
`)
	const want = `t.yaml:3:7: tests[0].events[0]: "wrong": sink disks: expected 1 filtered, got 1 passed
t.yaml:3:7: tests[0].events[0]: "wrong": sink disks: expected "sdb" for captures.disk, got "sda"
t.yaml:4:7: tests[0].events[1]: "wrong": sink all: expected 3 filtered, got 3 passed
t.yaml:4:7: tests[0].events[1]: "wrong": sink disks: expected 1 passed, 2 suppressed by rate_limit, got 1 passed, 2 suppressed by dedup
t.yaml:9:7: tests[2].events[0]: "too much": sink disks: expected 1 passed, got 1 filtered`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

const familySinks = `families: [ethtool, genltest, {name: nameless, groups: [g]}]
sinks:
  - name: links
    extract: 'dev-name=(?P<dev>\S+)'
    filter: command == "pause-ntf" and group == "monitor" and attributes.rx == 1
    stdout: {}
  - name: counters
    filter: attributes.stats.tx_frames == 9007199254740993 or attributes["1"] == "0a" and group == "g"
      or attributes.header.dev_name == "eth1"
    stdout: {}
  - name: gaps
    filter: kind == "gap" and family == "ethtool" and group == ""
    stdout: {}
`

func runFamilies(t *testing.T, text string) ([]Differences, error) {
	t.Helper()
	cfg, err := config.Parse("c.yaml", []byte(familySinks), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	tests, err := config.ParseRuleTests("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Run(cfg, tests)
}

func TestEventsOfOtherFamilies(t *testing.T) {
	all, err := runFamilies(t, `
- name: attributes as the sinks write them
  events:
    - family: ethtool
      command: pause-ntf
      attributes: {"header":{"dev-index":2,"dev-name":"eth0"},"autoneg":0,"rx":1,"tx":0}
      sinks: [links]
      captures: [{sink: links, name: dev, value: eth0}]
    - {family: ethtool, command: pause-ntf, attributes: {rx: 0, stats: {tx-frames: "9007199254740993"}}, sinks: [counters]}
    - {family: ethtool, command: pause-ntf, attributes: {header: {dev-name: "eth\ufffd", dev-name_base64: "ZXRoMQ=="}}, sinks: [counters]}
    - {family: nameless, command: "7", attributes: {"1": "0a"}, sinks: [counters]}
    - {family: ethtool, group: other, command: pause-ntf, attributes: {rx: 1}}
    - {family: ethtool, gap: {count: 3}, sinks: [gaps]}
    - {message: hello}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all[0] {
		t.Error(d)
	}
}

func TestUnknownFamiliesCommandsAndAttributesAreFaults(t *testing.T) {
	_, err := runFamilies(t, `- name: x
  events:
    - {family: ethtol, command: x}
    - {family: ethtool, command: paus-ntf}
    - {family: ethtool, command: pause-ntf, attributes: {header: {dev_nam: eth0}, "99": "00"}}
    - {family: ethtool, command: pause-ntf, attributes: {nothing: 1}}
`)
	for _, want := range []string{
		`t.yaml:3:16: tests[0].events[0].family: "ethtol" is not a family of the configuration; did you mean "ethtool"?`,
		`t.yaml:4:34: tests[0].events[1].command: ethtool does not have the command "paus-ntf"; did you mean "pause-ntf"?`,
		`t.yaml:5:76: tests[0].events[2].attributes.header.dev_nam: events of ethtool do not have this attribute; did you mean "dev_name"?`,
		`t.yaml:6:67: tests[0].events[3].attributes.nothing: events of ethtool do not have this attribute; write one of active, `,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var faults config.Errors
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Errorf("%d faults", len(faults))
	}
}

func TestAttributesOfImpossibleTypesAreFaults(t *testing.T) {
	for attributes, want := range map[string]string{
		`{rx: on-off}`:                                 "rx: events of ethtool have another type here; write a number",
		`{rx: true}`:                                   "rx: events of ethtool have another type here; write a number",
		`{header: eth0}`:                               "header: events of ethtool have another type here; write keys and values",
		`{header: {dev-index: [1]}}`:                   "header.dev-index: events of ethtool have another type here; write a number",
		`{wanted: {nomask: 1}}`:                        "wanted.nomask: events of ethtool have another type here; write true",
		`{rx: "0101", header: "0a0b"}`:                 "", // of a message that does not match the specification
		`{stats: {tx-frames: "18446744073709551615"}}`: "",
		`{wanted: {nomask: true}}`:                     "",
	} {
		_, err := runFamilies(t, "- name: x\n  events: [{family: ethtool, command: pause-ntf, attributes: "+attributes+"}]\n")
		if got := fmt.Sprint(err); !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("%s\n got %s\nwant %s", attributes, got, want)
		}
	}
}

func TestUnknownSinksAreFaults(t *testing.T) {
	tests, err := config.ParseRuleTests("t.yaml", []byte(`- name: x
  events:
    - {sinks: [stdot], captures: [{sink: b, name: disk}], suppressed: [{sink: c, reason: dedup}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default(sinks.Kinds())
	_, err = Run(cfg, tests)
	const want = `t.yaml:3:16: tests[0].events[0].sinks[0]: the configuration has no sink "stdot"; did you mean "stdout"?
t.yaml:3:42: tests[0].events[0].captures[0].sink: the configuration has no sink "b"; its sinks are stdout
t.yaml:3:79: tests[0].events[0].suppressed[0].sink: the configuration has no sink "c"; its sinks are stdout`
	if errs := config.Errors(nil); !errors.As(err, &errs) {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestFaultsOfRulesAreReportedWithThoseOfTheTests(t *testing.T) {
	cfg, err := config.Parse("c.yaml", []byte("sinks: [{name: a, filter: '1 +', stdout: {}}]"), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	tests, err := config.ParseRuleTests("t.yaml", []byte("- {name: x, events: [{message: x, sinks: [b]}]}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(cfg, tests)
	var faults config.Errors
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("error %v, want two faults", err)
	}
}

// Package config has its own list of the reasons, because it does not import package match.
func TestEveryReasonIsKnown(t *testing.T) {
	for _, reason := range match.Reasons() {
		text := "- {name: a, events: [{suppressed: [{sink: a, reason: " + reason + "}]}]}"
		if _, err := config.ParseRuleTests("t.yaml", []byte(text)); err != nil {
			t.Error(err)
		}
		if got := verdictOf(reason).Reason(); got != reason {
			t.Errorf("the verdict of %s has the reason %q", reason, got)
		}
	}
}
