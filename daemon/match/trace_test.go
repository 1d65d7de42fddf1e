// SPDX-License-Identifier: Apache-2.0

package match

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

// lines returns a part and those within it, each on an indented line.
func (p *Part) lines(indent string) string {
	text := indent + p.Text + " = " + p.Value + p.Error
	if p.Unused {
		text += " (unused)"
	}
	text += "\n"
	for i := range p.Parts {
		text += p.Parts[i].lines(indent + " ")
	}
	return text
}

func TestTraceShowsTheValueOfEachPart(t *testing.T) {
	disk := newEvent(7, 0, "disk error on sda\x1b[2J")
	disk.Origin = &event.Origin{Labels: []event.Label{{Name: "site", Value: "berlin"}}}
	for _, c := range []struct {
		filter, extract string
		e               *event.Event
		want            []string
	}{
		{`message contains "disk"`, "", disk, []string{
			`message contains "disk" = true`,
			` message = "disk error on sda\u001b[2J"`,
		}},
		{`family == "genltest" and not (seq > 5 || kind == "gap")`, "", disk, []string{
			`family == "genltest" and not (seq > 5 || kind == "gap") = false`,
			` family == "genltest" = true`,
			`  family = "genltest"`,
			` not (seq > 5 || kind == "gap") = false`,
			`  seq > 5 || kind == "gap" = true`,
			`   seq > 5 = true`,
			`    seq = 7`,
			`   kind == "gap" = false (unused)`,
			`    kind = "event"`,
		}},
		{`kind == "gap" && int(split(message, " ")[9]) > 1`, "", disk, []string{
			`kind == "gap" && int(split(message, " ")[9]) > 1 = false`,
			` kind == "gap" = false`,
			`  kind = "event"`,
			` int(split(message, " ")[9]) > 1 = index out of range: 9 (array length is 4) (unused)`,
			`  int(split(message, " ")[9]) = index out of range: 9 (array length is 4)`,
			`   split(message, " ")[9] = index out of range: 9 (array length is 4)`,
			`    split(message, " ") = ["disk","error","on","sda\u001b[2J"]`,
			`     message = "disk error on sda\u001b[2J"`,
		}},
		{`captures.device == "sda" and labels.site in ["paris", "rome"]`, `on (?P<device>\w+)`, disk, []string{
			`captures.device == "sda" and labels.site in ["paris", "rome"] = false`,
			` captures.device == "sda" = true`,
			`  captures.device = "sda"`,
			` labels.site in ["paris", "rome"] = false`,
			`  labels.site = "berlin"`,
		}},
		{`time.Hour() in 0..2 ? true : gap.count == 0 and time - kernel_time > duration("1s")`, "", disk, []string{
			`time.Hour() in 0..2 ? true : gap.count == 0 and time - kernel_time > duration("1s") = true`,
			` time.Hour() in 0..2 = false`,
			`  time.Hour() = 3`,
			`   time = "2026-01-02T03:04:05Z"`,
			` true = true (unused)`,
			` gap.count == 0 and time - kernel_time > duration("1s") = true`,
			`  gap.count == 0 = true`,
			`   gap.count = 0`,
			`  time - kernel_time > duration("1s") = true`,
			`   time - kernel_time = "2562047h47m16.854775807s"`,
			`    time = "2026-01-02T03:04:05Z"`,
			`    kernel_time = "0001-01-01T00:00:00Z"`,
		}},
		{`"dev-name" in attributes.header and attributes.header.dev_index > 1 and attributes.caps[0] == "tx"`, "", fullLink(), []string{
			`"dev-name" in attributes.header and attributes.header.dev_index > 1 and attributes.caps[0] == "tx" = true`,
			` "dev-name" in attributes.header and attributes.header.dev_index > 1 = true`,
			`  "dev-name" in attributes.header = true`,
			`  attributes.header.dev_index > 1 = true`,
			`   attributes.header.dev_index = 2`,
			` attributes.caps[0] == "tx" = true`,
			`  attributes.caps[0] = "tx"`,
		}},
	} {
		v := linkVocabulary(t)
		v.Fields, v.Labels = nil, nil
		p, err := NewCompiler(v).Trace(c.filter, c.extract, c.e)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if diff := cmp.Diff(strings.Join(c.want, "\n")+"\n", p.lines("")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.filter, diff)
		}
		r := mustCompileWith(t, v, Options{Filter: c.filter, Extract: c.extract})
		if passes, err := r.Evaluate(c.e); err != nil || (passes == Pass) != (p.Value == "true") {
			t.Errorf("%s: the filter returns %v, %v", c.filter, passes, err)
		}
	}
}

func mustCompileWith(t *testing.T, v Vocabulary, o Options) *Rules {
	t.Helper()
	r, err := NewCompiler(v).Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTraceRefusesWhatTheConfigurationRefuses(t *testing.T) {
	for _, filter := range []string{`mesage == "x"`, `message ==`, `seq`, `nil == message`} {
		_, want := Compile(Options{Filter: filter})
		p, err := NewCompiler(Vocabulary{}).Trace(filter, "", newEvent(1, 0, "x"))
		if err == nil || want == nil || err.Error() != want.Error() || p != nil {
			t.Errorf("%s: %v, want %v", filter, err, want)
		}
	}
}

func TestTraceIsLimited(t *testing.T) {
	filter := strings.Repeat(`message == "x" or `, 300) + "seq == 1"
	p, err := NewCompiler(Vocabulary{}).Trace(filter, "", newEvent(1, 0, strings.Repeat("y", 4000)))
	if err != nil {
		t.Fatal(err)
	}
	if text := p.lines(""); strings.Count(text, "\n") > maxParts+1 || len(text) > 300_000 {
		t.Errorf("%d lines, %d bytes", strings.Count(text, "\n"), len(text))
	}
}

// For any expression and event a trace ends, agrees with the filter, and is safe to show.
func FuzzTrace(f *testing.F) {
	f.Add(`message contains "x" and not (seq > 1 or host == "a")`, []byte("xx"))
	f.Add(`captures.a == "x" ? labels.site in ["a"] : time.Hour() in 1..3`, []byte("\xff\x00\x1b"))
	f.Add(`split(message, " ")[1] | upper() | trim() != "" && 7 % (seq - 1) == 0`, []byte("a b"))
	f.Add(`attributes.header.dev_name matches "e" and 5 in attributes.many and "caps" in attributes or attributes.unclear > 5`, []byte("eth0"))
	f.Add(`captures?.a[1:2] in [message, string(seq)] and -(seq + 1) ** 2 < 0.5 and (time - kernel_time).Hours() > 1`, []byte("é"))
	vocabulary := linkVocabulary(f)
	vocabulary.Fields, vocabulary.Labels = nil, nil
	f.Fuzz(func(t *testing.T, filter string, message []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("the trace hangs") })
		defer watchdog.Stop()
		o := Options{Filter: filter, Extract: `(?P<a>x)`}
		rules, refused := NewCompiler(vocabulary).Compile(o)
		for _, e := range []*event.Event{newEvent(1, 0, string(message[:min(len(message), 4124)])), fullLink()} {
			p, err := NewCompiler(vocabulary).Trace(filter, o.Extract, e)
			if (err == nil) != (refused == nil) {
				t.Fatalf("error %v, want %v", err, refused)
			}
			if checkError(t, err); p == nil {
				continue
			}
			v, err := rules.Evaluate(e)
			var failed *Error
			if errors.As(err, &failed) != (p.Error != "") || p.Error == "" && (v == Pass) != (p.Value == "true") {
				t.Errorf("%q: the verdict is %d, %v, and the trace %+v", filter, v, err, p)
			}
			checkPart(t, p)
		}
	})
}

func checkPart(t *testing.T, p *Part) {
	t.Helper()
	for _, text := range []string{p.Text, p.Value, p.Error} {
		if !event.IsVisible([]byte(text)) {
			t.Errorf("%q is not safe to show", text)
		}
	}
	if (p.Error == "") != json.Valid([]byte(p.Value)) {
		t.Errorf("value %q, error %q", p.Value, p.Error)
	}
	for i := range p.Parts {
		checkPart(t, &p.Parts[i])
	}
}

func TestExplainReturnsAStepForEachRule(t *testing.T) {
	o := Options{
		Filter: `captures.device == "sda"`, Extract: `on (?P<device>\w+)`, Sample: 3,
		Dedup: Dedup{Window: time.Minute, Key: "host"}, RateLimit: RateLimit{Events: 5, Per: time.Second},
	}
	summary := func(e *event.Event, o Options) (list []string) {
		t.Helper()
		steps, err := NewCompiler(Vocabulary{}).Explain(o, e)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			list = append(list, s.Rule+" "+s.Result)
		}
		return list
	}
	in, out := newEvent(1, 0, "error on sda"), newEvent(1, 0, "error on sda")
	for ; !Sampled(in, 3); in.Seq++ {
	}
	for ; Sampled(out, 3); out.Seq++ {
	}
	gap := newEvent(1, 0, "")
	gap.Gap = &event.Gap{Count: 1}
	failing := Options{Filter: `split(message, " ")[9] == "x"`, Sample: 1, RateLimit: o.RateLimit}
	all := Options{Filter: `kind == "gap"`, Sample: 9, Dedup: o.Dedup}
	for _, c := range []struct {
		e    *event.Event
		o    Options
		want []string
	}{
		{in, o, []string{"extract applied", "filter passes", "sample passes", "dedup depends", "rate_limit depends"}},
		{out, o, []string{"extract applied", "filter passes", "sample rejects"}},
		{newEvent(1, 0, "x"), o, []string{"extract applied", "filter rejects"}},
		{gap, all, []string{"filter passes"}},
		{in, failing, []string{"filter fails", "rate_limit depends"}},
		{in, Options{}, nil},
	} {
		if diff := cmp.Diff(c.want, summary(c.e, c.o)); diff != "" {
			t.Errorf("%q with %+v (-want +got):\n%s", c.e.Message, c.o, diff)
		}
	}
	steps, err := NewCompiler(Vocabulary{}).Explain(o, in)
	if err != nil || string(steps[0].Captures[0].Value) != "sda" || steps[1].Filter.Value != "true" ||
		!strings.Contains(steps[3].Text, `"web-1"`) {
		t.Errorf("%+v, %v", steps, err)
	}
	if _, err := NewCompiler(Vocabulary{}).Explain(Options{Filter: "x"}, in); err == nil {
		t.Error("no error for a filter that does not compile")
	}
}
