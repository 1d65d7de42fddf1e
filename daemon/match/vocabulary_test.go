// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"strings"
	"testing"
)

func vocabulary() Vocabulary {
	return Vocabulary{
		Fields: map[string]FieldValues{
			"kind":       {Values: []string{"event", "gap", "suppressed"}},
			"gap.reason": {Values: []string{"", "kernel_buffer", "not_subscribed"}},
			"machine_id": {Values: []string{""}, Advice: "it is empty unless event.machine_id is true"},
		},
		Labels: []string{"rack", "site"},
	}
}

// A comparison whose result is the same for every event is a mistake.
func TestImpossibleComparisonsAreErrors(t *testing.T) {
	const kinds = `; write "event", "gap" or "suppressed"`
	for filter, want := range map[string]string{
		`kind == "gpa"`:                  `column 9: kind is never "gpa"` + kinds,
		`"gpa" != kind`:                  `column 1: kind is never "gpa"` + kinds,
		`kind == upper("gap")`:           `column 9: kind is never "GAP"` + kinds,
		`kind in ["gap", "evnt"]`:        `column 17: kind is never "evnt"` + kinds,
		`kind not in ["evnt"]`:           `column 14: kind is never "evnt"` + kinds,
		`kind matches "^gx"`:             `column 14: kind never matches "^gx"` + kinds,
		`kind startsWith "Gap"`:          `column 17: kind never starts with "Gap"` + kinds,
		`kind endsWith "s"`:              `column 15: kind never ends with "s"` + kinds,
		`kind contains "x"`:              `column 15: kind never contains "x"` + kinds,
		`gap.reason == "kernel_bufer"`:   `column 15: gap.reason is never "kernel_bufer"; write "kernel_buffer" or "not_subscribed"`,
		`gap["reason"] == "x"`:           `column 18: gap.reason is never "x"; write "kernel_buffer" or "not_subscribed"`,
		`gap?.reason == "x"`:             `column 16: gap.reason is never "x"; write "kernel_buffer" or "not_subscribed"`,
		`machine_id == "4711"`:           `column 15: machine_id is never "4711"; it is empty unless event.machine_id is true`,
		`labels.sote == "berlin"`:        `column 8: unknown label sote; event.labels has rack, site`,
		`labels["sote"] != ""`:           `column 8: unknown label sote; event.labels has rack, site`,
		`labels?.sote != ""`:             `column 9: unknown label sote; event.labels has rack, site`,
		`not ("sote" in labels)`:         `column 6: unknown label sote; event.labels has rack, site`,
		`kind == "gap"`:                  "",
		`kind in ["gap", "event"]`:       "",
		`kind matches "^(gap|event)$"`:   "",
		`gap.reason == ""`:               "",
		`machine_id == ""`:               "",
		`labels.site == "anything"`:      "",
		`"site" in labels`:               "",
		`labels[message] == ""`:          "",
		`host == "gpa" or kind == host`:  "",
		`message in ["gpa", "anything"]`: "",
	} {
		_, err := NewCompiler(vocabulary()).Compile(Options{Filter: filter})
		if got := strings.TrimPrefix(fmt.Sprint(err), "filter: "); got != want && (want != "" || err != nil) {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
		if _, err := Compile(Options{Filter: filter}); err != nil {
			t.Errorf("%s: without a vocabulary: %v", filter, err)
		}
	}
}

func TestConstantsThatAlwaysFailAreErrors(t *testing.T) {
	for filter, want := range map[string]string{
		`date("nonsense") < time`:         "column 1: fails for every event: invalid date nonsense",
		`time > date("2026-13-02")`:       "column 8: fails for every event: invalid date 2026-13-02",
		`duration("1x") < duration("1h")`: `column 1: fails for every event: time: unknown unit "x" in duration "1x"`,
		`int("abc") == seq`:               "column 1: fails for every event: invalid operation: int(abc)",
		`split("a,b", ",")[3] == host`:    "column 18: fails for every event: index out of range: 3 (array length is 2)",
		`date(message, "yyyy-mm-dd") < time`: `column 15: the layout "yyyy-mm-dd" contains no part of a date; ` +
			`write one like "2006-01-02 15:04:05"`,
		`seq % 0 == 1`: "column 5: fails for every event: division by zero",
		`date("2026-01-02") < time and kind == "event"`: "",
		`date(message, "02.01.2006") < time`:            "",
		`int(message) > 5`:                              "",
		`seq % 2 == 1`:                                  "",
		`time.Format("15") > "08"`:                      "",
	} {
		_, err := Compile(Options{Filter: filter})
		if got := strings.TrimPrefix(fmt.Sprint(err), "filter: "); got != want && (want != "" || err != nil) {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
}

func TestDuplicateGroupNameIsAnError(t *testing.T) {
	_, err := Compile(Options{Extract: `é(?P<disk>sd[a-z])|(?P<part>x)|(?P<disk>nvme)`})
	if want := "extract: column 32: a second group has the name disk; choose another"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
