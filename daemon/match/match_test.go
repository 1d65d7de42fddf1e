// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newEvent returns the event with that number, received that long after start.
func newEvent(seq uint64, after time.Duration, text string) *event.Event {
	return &event.Event{
		JournalID: "9f3c", Seq: seq, Time: start.Add(after),
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte(text),
	}
}

func mustCompile(t testing.TB, o Options) *Rules {
	t.Helper()
	r, err := Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// evaluate fails the test if an expression fails.
func evaluate(t testing.TB, r *Rules, e *event.Event) Verdict {
	t.Helper()
	v, err := r.Evaluate(e)
	if err != nil {
		t.Fatalf("%q: %v", e.Message, err)
	}
	return v
}

func TestFilterSeesEveryField(t *testing.T) {
	e := newEvent(7, 0, "disk error on sda: \xff")
	e.KernelSeq, e.KernelTime, e.LoadID = 41, start.Add(-time.Millisecond), 0xfedcba9876543210
	e.Origin = &event.Origin{MachineID: "m", BootID: "b", KernelRelease: "6.1", Labels: []event.Label{{Name: "site", Value: "berlin"}}}
	for _, filter := range []string{
		`message == "disk error on sda: " + message[19:]`,
		`message matches "^disk (error|failure) .*sd[a-z]"`,
		`message startsWith "disk" and message contains "error" and not (message endsWith "sda")`,
		`kind == "event" && host == "web-1" && family == "genltest" && group == "mcgrp"`,
		`id == "9f3c-7" && seq == 7`,
		`kernel_seq in 40..50 && load_id == "fedcba9876543210"`,
		`time > kernel_time && time.Hour() in 0..5 && time >= date("2026-01-02")`,
		`time - kernel_time < duration("2ms") && (time - kernel_time).Milliseconds() == 1`,
		`time.Weekday().String() == "Friday" && int(time.Month()) == 1 && time.Format("15:04") == "03:04"`,
		`machine_id == "m" && boot_id == "b" && kernel_release startsWith "6."`,
		`labels.site in ["berlin", "paris"] && labels["rack"] == "" && "site" in labels`,
		`gap.count == 0 && gap.reason == ""`,
		`upper(host) == "WEB-1" && len(group) == 5 && (host | trimPrefix("web-") | int()) > 0`,
		`split(message, " ")[1] == "error" && indexOf(message, "on") > 0`,
		`host == "web-1" ? true : false`,
		`captures.device == "sda" and captures["what"] == "error" and captures.more == "" and captures?.device != ""`,
	} {
		r := mustCompile(t, Options{Filter: filter, Extract: `(?P<what>error|failure) on (?P<device>\w+)(?P<more>!)?`})
		if v := evaluate(t, r, e); v != Pass {
			t.Errorf("%s: verdict %d", filter, v)
		}
		r = mustCompile(t, Options{Filter: "not (" + filter + ")", Extract: `(?P<what>error|failure) on (?P<device>\w+)(?P<more>!)?`})
		if v := evaluate(t, r, e); v != Filtered {
			t.Errorf("not (%s): verdict %d", filter, v)
		}
	}
}

func TestErrorsNameKeyPositionAndRemedy(t *testing.T) {
	const fields = " in quotes if it is a text, or one of message, kind, host, seq, kernel_seq, id, family, group, command, " +
		"attributes, time, kernel_time, load_id, machine_id, boot_id, kernel_release, labels, gap, captures"
	tests := []struct {
		o    Options
		want string
	}{
		{Options{Filter: `mesage contains "x"`}, `filter: column 1: unknown name mesage; write message`},
		{Options{Filter: "host == \"a\" or\n  prio > 3"}, `filter: line 2, column 3: unknown name prio; write "prio"` + fields},
		{
			Options{Filter: `message`},
			`filter: the expression returns a text, but must return true or false; write a comparison such as message != ""`,
		},
		{
			Options{Filter: `seq == "7"`},
			`filter: column 5: cannot apply == to a number and a text; write the number without quotes, int(...) around the ` +
				`text, or string(...) around the number`,
		},
		{
			Options{Filter: `message matches "("`},
			"filter: column 17: the pattern is invalid: missing closing ): `(`; write \\ before a literal character, " +
				"within backquotes",
		},
		{Options{Filter: `message matches host`}, `filter: column 17: a pattern must be one text in quotes`},
		{Options{Filter: `message contains`}, `filter: column 17: the expression ends too early; complete it after "contains"`},
		{Options{Filter: `captures.unit == "a"`}, `filter: column 10: unknown capture unit; extract contains no named groups`},
		{
			Options{Filter: `captures.unit == "a"`, Extract: `(?P<device>.)(?P<user>.)`},
			`filter: column 10: unknown capture unit; extract has device, user`,
		},
		{
			Options{Filter: `captures[host] == "a"`, Extract: `(?P<device>.)`},
			`filter: column 10: write the name of a capture, such as captures.unit`,
		},
		{Options{Filter: `len(captures) == 1`, Extract: `(?P<device>.)`}, `filter: column 5: write the name of a capture, such as captures.unit`},
		{Options{Filter: `gap.seconds > 1`}, `filter: column 5: unknown field seconds of gap; write gap.count or gap.reason`},
		{Options{Filter: `Others.ID == id`}, `filter: column 1: unknown name Others; write "Others"` + fields},
		{Options{Filter: `host == nil`}, `filter: column 9: nil is not supported; an absent field is empty or 0`},
		{
			Options{Filter: `now() > time`},
			`filter: column 1: the function now is not supported; use one of abs, ceil, date, duration, float, floor, indexOf, ` +
				`int, lastIndexOf, len, lower, max, min, round, split, string, trim, trimPrefix, trimSuffix, upper`,
		},
		{Options{Filter: `let x = host; x == host`}, `filter: column 5: let is not supported`},
		{Options{Filter: `all(1..9, # > seq)`}, `filter: column 11: functions that iterate over a list are not supported`},
		{Options{Filter: `split(message, "")[0] == "a"`}, `filter: column 16: split requires a separator in quotes`},
		{
			Options{Filter: `time > date("2026", "2006", "Europe/Berlin")`},
			`filter: column 29: date accepts only a text and a layout; the time is in UTC unless the text contains an offset`,
		},
		{Options{Filter: `time.Format(message) == "a"`}, `filter: column 13: the argument of a method must be a text in quotes`},
		{
			Options{Filter: `time.Local() == time`},
			`filter: column 6: the method Local is not supported; use one of Day, Format, Hour, Hours, Milliseconds, Minute, ` +
				`Minutes, Month, Second, Seconds, String, Unix, Weekday, Year, YearDay`,
		},
		{
			Options{Filter: `0` + strings.Repeat(" + 1", maxSums+1) + ` == seq`},
			`filter: column 203: the expression contains more than 50 operators +`,
		},
		{Options{Filter: `$env == 1`}, `filter: column 1: unknown name $env; write "$env"` + fields},
		{Options{Filter: `seq in 0..len(message)`}, `filter: column 9: the ends of a range must be numbers, such as 8..17`},
		{Options{Filter: "host == '\x1b[31m' + x\u202e"}, `filter: column 20: unrecognized character: U+202E`},
		{Options{Filter: strings.Repeat(" ", maxText) + "true"}, `filter: the expression is longer than 16384 bytes; shorten it`},
		{
			Options{Filter: `message matches "` + strings.Repeat("(a?){1000}", 9) + `"`},
			`filter: column 17: the pattern is too large; repeat less in it`,
		},
		{Options{Extract: `(`}, "extract: column 1: error parsing regexp: missing closing ): `(`"},
		{Options{Extract: `é(?P<a>x)[z-a]`}, "extract: column 11: error parsing regexp: invalid character class range: `z-a`"},
		{Options{Extract: `(unit)`}, `extract: the pattern needs a named group, such as (?P<unit>[a-z]+)`},
		{Options{Extract: `(?P<a>` + strings.Repeat("(a?){1000}", 9) + `)`}, `extract: the pattern is too large; repeat less in it`},
		{
			Options{Filter: `captures.a == "x" or captures.b == "y"`, Extract: `(?P<a>x`},
			"filter: column 31: unknown capture b; extract has a\nextract: column 1: error parsing regexp: missing closing ): `(?P<a>x`",
		},
		{Options{Dedup: Dedup{Key: `seq`}}, `dedup.key: the expression returns a number, but must return a text; write string(...) around it`},
		{
			Options{Filter: `x`, Extract: `x`, Dedup: Dedup{Key: `x`}},
			`filter: column 1: unknown name x; write "x"` + fields + "\nextract: the pattern needs a named group, such as " +
				"(?P<unit>[a-z]+)\ndedup.key: column 1: unknown name x; write \"x\"" + fields,
		},
	}
	for _, test := range tests {
		_, err := Compile(test.o)
		if err == nil {
			t.Errorf("%+v compiles", test.o)
			continue
		}
		var fault *Error
		if !errors.As(err, &fault) {
			t.Errorf("%T is not an *Error", err)
		}
		if diff := cmp.Diff(test.want, err.Error()); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
}

func TestEventsPassIfAnExpressionFails(t *testing.T) {
	tests := []struct {
		o    Options
		want string
	}{
		{Options{Filter: `int(message) > 3`}, `filter: column 1: invalid operation: int(\x1b[31m)`},
		{Options{Filter: `split(message, ",")[7] == "x"`}, `filter: column 20: index out of range: 7 (array length is 1)`},
		{Options{Filter: `1 % (seq - 1) == 0`}, `filter: column 3: runtime error: integer divide by zero`},
		{
			Options{Dedup: Dedup{Window: time.Hour, Key: `split(message, ",")[7]`}},
			`dedup.key: column 20: index out of range: 7 (array length is 1)`,
		},
	}
	for _, test := range tests {
		test.o.Extract = `(?P<letter>m)`
		r := mustCompile(t, test.o)
		for range 2 { // a failure changes no state
			e := newEvent(1, 0, "\x1b[31m")
			v, err := r.Evaluate(e)
			var fault *Error
			if v != Pass || !errors.As(err, &fault) {
				t.Fatalf("%+v: verdict %d, error %v", test.o, v, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if len(e.Captures) != 1 {
				t.Errorf("captures %v", e.Captures)
			}
		}
	}
}

func TestErrorsAreShortAndSafeForAnyEvent(t *testing.T) {
	r := mustCompile(t, Options{Filter: `date(message) > time`})
	_, err := r.Evaluate(newEvent(1, 0, strings.Repeat("\x1b\xff\u202e", 1000)))
	if err == nil || len(err.Error()) > maxShown+50 || !event.IsVisible([]byte(err.Error())) {
		t.Errorf("error %q", err)
	}
}

func TestExtractSetsTheNamedGroups(t *testing.T) {
	const pattern = `(?P<unit>[a-z]+)\.service(: (?P<what>.+))?`
	for text, want := range map[string][]event.Capture{
		"ssh.service: died": {{Name: "unit", Value: []byte("ssh")}, {Name: "what", Value: []byte("died")}},
		"ssh.service":       {{Name: "unit", Value: []byte("ssh")}, {Name: "what"}},
		"a.service: \xff":   {{Name: "unit", Value: []byte("a")}, {Name: "what", Value: []byte("\xff")}},
		"nothing":           {{Name: "unit"}, {Name: "what"}},
		"":                  {{Name: "unit"}, {Name: "what"}},
	} {
		for _, filter := range []string{"", `captures.unit != "x"`} {
			e := newEvent(1, 0, text)
			e.Captures = []event.Capture{{Name: "old"}}
			evaluate(t, mustCompile(t, Options{Extract: pattern, Filter: filter}), e)
			if diff := cmp.Diff(want, e.Captures); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	}
}

// A sink that reads a capture by name must get gaps and summaries too.
func TestNamedGroupsExistForGapsAndSummaries(t *testing.T) {
	want := []event.Capture{{Name: "unit"}}
	for _, filter := range []string{"", `kind != "event" or captures.unit == "a"`} {
		r := mustCompile(t, Options{Extract: "(?P<unit>.*)", Filter: filter, RateLimit: RateLimit{Events: 1, Per: time.Hour}})
		gap, summary := newEvent(1, 0, ""), newEvent(2, 0, "")
		gap.Gap, summary.Suppressed = &event.Gap{Count: 3}, &event.Suppressed{Count: 1}
		for _, e := range []*event.Event{gap, summary} {
			evaluate(t, r, e)
			if diff := cmp.Diff(want, e.Captures); diff != "" {
				t.Errorf("captures of a %s (-want +got):\n%s", e.Kind(), diff)
			}
		}
		for seq := range uint64(2) {
			evaluate(t, r, newEvent(3+seq, 0, "a"))
		}
		summaries := r.Summaries(nil, time.Time{}, true)
		if len(summaries) != 1 || !cmp.Equal(want, summaries[0].Captures) {
			t.Errorf("summaries %+v", summaries)
		}
	}
}

func TestGapIsFilteredButNotSuppressed(t *testing.T) {
	gap := newEvent(1, 0, "")
	gap.Gap = &event.Gap{Count: 3, Reason: "kernel_buffer"}
	limits := Options{Sample: 1 << 40, RateLimit: RateLimit{Events: 1, Per: time.Hour}, Dedup: Dedup{Window: time.Hour}}
	for filter, want := range map[string]Verdict{
		"":                        Pass,
		`message contains "disk"`: Filtered,
		`kind == "gap" or message contains "disk"`: Pass,
		`gap.count > 2 and gap.reason != "x"`:      Pass,
		`gap.count > 3`:                            Filtered,
	} {
		limits.Filter = filter
		r := mustCompile(t, limits)
		for range 3 {
			if v := evaluate(t, r, gap); v != want {
				t.Errorf("%s: verdict %d, want %d", filter, v, want)
			}
		}
	}
}

func TestEventsPassWithoutRulesAndAllocations(t *testing.T) {
	e := newEvent(1, 0, "x")
	for name, r := range map[string]*Rules{
		"nil": nil, "zero options": mustCompile(t, Options{}), "sample 1": mustCompile(t, Options{Sample: 1}),
	} {
		if n := testing.AllocsPerRun(100, func() { evaluate(t, r, e) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if got := r.Summaries(nil, start, true); got != nil {
			t.Errorf("%s: summaries %v", name, got)
		}
	}
}

func TestReasonsAreComplete(t *testing.T) {
	if diff := cmp.Diff([]string{"sample", "dedup", "rate_limit"}, Reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	for v, want := range map[Verdict]string{Pass: "", Filtered: "", SampledOut: "sample", Repeated: "dedup", RateLimited: "rate_limit"} {
		if v.Reason() != want || v.Suppressed() != (want != "") {
			t.Errorf("verdict %d: reason %q, suppressed %v", v, v.Reason(), v.Suppressed())
		}
	}
}
