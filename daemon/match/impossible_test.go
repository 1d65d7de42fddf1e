// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"strings"
	"testing"
)

// A comparison with a value that a function or a field never has is a mistake.
func TestOutOfRangeComparisonsAreErrors(t *testing.T) {
	for filter, want := range map[string]string{
		`lower(message) contains "ERROR"`:                  `column 25: lower(...) never contains "ERROR"; write "error"`,
		`"Web-1" == lower(host)`:                           `column 1: lower(...) is never "Web-1"; write "web-1"`,
		`upper(message) startsWith "Disk"`:                 `column 27: upper(...) never starts with "Disk"; write "DISK"`,
		`lower(kind) in ["gap", "GAP"]`:                    `column 24: lower(...) is never "GAP"; write "gap"`,
		`seq < 0`:                                          `column 7: seq is at least 0, so "<" is the same for every event`,
		`-1 == kernel_seq`:                                 `kernel_seq is at least 0, so "==" is the same for every event`,
		`gap.count >= 0`:                                   `gap.count is at least 0, so ">=" is the same for every event`,
		`len(message) == -1`:                               `len(...) is at least 0`,
		`time.Hour() == 24`:                                `column 16: Hour() is from 0 to 23, so "==" is the same for every event`,
		`time.Day() in [0, 1]`:                             `column 16: Day() is from 1 to 31`,
		`60 <= time.Minute()`:                              `Minute() is from 0 to 59`,
		`time.Weekday().String() == "monday"`:              `column 28: Weekday().String() is never "monday"; write "Sunday", "Monday"`,
		`time.Weekday().String() in ["Sat"]`:               `Weekday().String() is never "Sat"`,
		`kernel_time.Month().String() == "Mai"`:            `Month().String() is never "Mai"; write "January"`,
		`load_id == "1E1B"`:                                `column 12: load_id is never "1E1B"; it has the form "1e1b58c6a77ddc69"`,
		`id == "foo"`:                                      `column 7: id is never "foo"`,
		`boot_id == "c1f0fdd2-a9f5-4ffc-bd33-c49"`:         `boot_id is never`,
		`machine_id != ""`:                                 `column 15: machine_id is always ""; it is empty unless event.machine_id is true`,
		`seq in 5..1`:                                      `the range 5..1 is empty; write 1..5`,
		`host in []`:                                       `column 9: the list is empty`,
		`host in ["web-1", 5]`:                             `column 19: the value before in is a text; write the number in quotes`,
		`seq in [1, "2"]`:                                  `column 12: the value before in is a number; write the number without quotes`,
		`5 in 1..3`:                                        `the result is the same for every event`,
		`"abc" == "abd" or 1 > 2`:                          `the result is the same for every event`,
		`true`:                                             "",
		`false`:                                            "",
		`lower(message) contains "error é5"`:               "",
		`lower(message) matches "ERROR|error"`:             "",
		`seq > 0 and kernel_seq >= 1 and gap.count != 0`:   "",
		`len(message) > 0 and time.Hour() in 8..24`:        "",
		`time.Hour() < 8 or time.Hour() >= 18`:             "",
		`time.Weekday().String() not in ["Saturday"]`:      "",
		`load_id == "1e1b58c6a77ddc69" or load_id == ""`:   "",
		`id == "9f3c-7"`:                                   "",
		`time.Second() == message[0:0] + "" ? true : true`: "cannot apply",
	} {
		_, err := NewCompiler(vocabulary()).Compile(Options{Filter: filter})
		if got := fmt.Sprint(err); !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
}

// Independent faults of one expression are reported together, in its order. A use of
// something that is not supported is reported alone, because it may cause others.
func TestErrorsOfOneExpressionAreReportedTogether(t *testing.T) {
	for filter, want := range map[string]string{
		`hots == "a" and mesage == "b" and kind == "gpa"`: "filter: column 1: unknown name hots; write host\n" +
			"filter: column 17: unknown name mesage; write message\n" +
			`filter: column 43: kind is never "gpa"; write "event", "gap" or "suppressed"`,
		`captures.x == "" and labels.sote == ""`: "filter: column 10: unknown capture x; extract contains no named groups\n" +
			"filter: column 29: unknown label sote; event.labels has rack, site",
		`any(hots, true)`:             "filter: column 11: functions that iterate over a list are not supported",
		`startswith(mesage, "x")`:     "filter: column 1: startswith is not a function here; write TEXT startsWith TEXT",
		`regexp(message, "x")`:        "filter: column 1: the function regexp is not supported; use one of abs",
		`kind == "gpa" and kind == 5`: `filter: column 9: kind is never "gpa"; write "event", "gap" or "suppressed"`,
	} {
		_, err := NewCompiler(vocabulary()).Compile(Options{Filter: filter})
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != strings.Count(want, "\n") {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
}

// Messages name the cause and a remedy, and not the types of Go.
func TestWrongTypesInExpressions(t *testing.T) {
	for filter, want := range map[string]string{
		`time.Hour > 5`:              "column 11: cannot apply > to a method without brackets and a number; write () after the name",
		`time.Weekday() == "Monday"`: `cannot apply == to a day of the week and a text; write .String() after it, and a name in quotes`,
		`time.Month() == 5`:          `cannot apply == to a month and a number; write .String() after it`,
		`time.Weekday() in [0, 6]`:   "the value before in is a day of the week; write .String() after it",
		`labels == {}`:               "column 8: == cannot compare all labels; write one of them, such as labels.site",
		`labels.site.foo == ""`:      "a text does not have the field foo; remove .foo",
		`message[0] == "a"`:          "write message[0:1] for the first character",
		`split(5, ",")[0] == "a"`:    "column 7: split requires a text; write string(...) around the number",
		`split(message)[0] == "a"`:   "column 1: split requires 2 arguments, and has 1",
		`lower(seq) == "a"`:          "column 7: lower requires a text",
		`len(5) > 1`:                 "column 5: len requires a text",
		`max(host, 5) > 1`:           "column 5: max requires a number; write int(...) around the text",
		`-message == "a"`:            "cannot apply - to a text",
		`message contains ["a"]`:     "cannot apply contains to a text and a list",
		`[]`:                         "the expression returns a list, but must return true or false",
		`message contains "a\d"`:     "column 20: the escape \\d is not valid; write the text between backquotes",
		`seq > 5s`:                   `5s is not a number; write duration("5s") for a duration`,
		`seq > 5MB`:                  "is not a number; write digits only",
		`seq > 9223372036854775808`:  "the number is too large",
		`message matches "(?<=a)b"`:  "column 17: the pattern is invalid",
		"message matches `(a)\\1`":   "references to groups are not supported",
		`message matches "a{1001}"`:  "repeat at most 1000 times",
	} {
		_, err := NewCompiler(vocabulary()).Compile(Options{Filter: filter})
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
}
