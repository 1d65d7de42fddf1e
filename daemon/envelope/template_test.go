// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestTemplateFieldsAndFunctions(t *testing.T) {
	for template, want := range map[string]string{
		"{{.ID}} {{.Seq}} {{.Kind}}": "6a9155caa46c7dcc-7 7 event",
		"{{.Time}}":                  "2026-01-02T03:04:05.000006789Z",
		"{{.KernelTime}} {{.KernelSeq}} {{.LoadID}}":               "2026-01-02T03:04:04.000006789Z 41 fedcba9876543210",
		"{{.Host}} {{.Family}} {{.Group}}":                         "web-1 genltest mcgrp",
		"{{.Message}}|{{.Text}}":                                   `disk "sda"\x1b|disk "sda"\x1b`,
		"{{raw .Message}}|{{raw .Text}}":                           "disk \"sda\"\x1b|disk \"sda\"\x1b",
		"{{visible .Message}} {{visible \"\\n\"}} {{raw \"\\n\"}}": "disk \"sda\"\\x1b \\n \n",
		"{{.MachineID}} {{.BootID}} {{.KernelRelease}}": "b08dfa6083e7567a1921a715000001fb " +
			"c1f0fdd2a9f54ffcbd33c49f0a2c1f9b 6.1.0-50-amd64",
		"{{.Labels.site}} {{.Captures.code}}":                               "berlin 17",
		"{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}":                  `rack=b "7";site=berlin;`,
		"{{range $.Labels}}{{.}}{{$.Seq}}{{end}}":                           `b "7"7berlin7`,
		"{{with .Gap}}{{.Count}}{{else}}none{{end}}":                        "none",
		"{{if .Suppressed}}x{{end}}":                                        "",
		"{{json .Message}}":                                                 `"disk \"sda\"\u001b"`,
		"{{json .Labels}}":                                                  `{"rack":"b \"7\"","site":"berlin"}`,
		"{{json .Seq}} {{json .Time}} {{json .Gap}} {{json nil}}":           `7 "2026-01-02T03:04:05.000006789Z" null null`,
		"{{.Message | base64}}":                                             "ZGlzayAic2RhIhs=",
		"{{upper .Kind}} {{.Host | upper | lower}} {{trim \"  a \"}}":       "EVENT web-1 a",
		`{{.Host | replace "-" "_"}}`:                                       "web_1",
		`{{"" | default "other"}} {{.Host | default "other"}}`:              "other web-1",
		"{{rfc3339 .Time}} {{unix .Time}} {{.Time.UnixMilli}}":              "2026-01-02T03:04:05Z 1767323045 1767323045000",
		`{{.Time.Format "02.01.2006"}}`:                                     "02.01.2026",
		`{{printf "%05d" .Seq}} {{urlquery .Message}} {{html "<"}}`:         "00007 disk+%22sda%22%1B &lt;",
		`{{$n := len .Message}}{{if gt $n 3}}{{slice .Message 0 4}}{{end}}`: "disk",
		`{{index .Captures "other" | default "-"}}`:                         "-",
		"{{range .Labels}}{{range $.Captures}}{{.}}{{break}}{{end}}{{end}}": "1717",
	} {
		if diff := cmp.Diff(want, encode(t, mustNew(t, Options{Kind: Template, Template: template}), full("disk \"sda\"\x1b"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", template, diff)
		}
	}
	e := full("x")
	for _, template := range []string{"{{.}}", "{{json .}}", "{{json $}}"} {
		if diff := cmp.Diff(string(e.AppendJSON(nil)), encode(t, mustNew(t, Options{Kind: Template, Template: template}), e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", template, diff)
		}
	}
}

func TestTemplateOfGapsAndSuppressedEvents(t *testing.T) {
	template := "{{with .Gap}}{{.Count}} {{.Reason}} {{.From}} {{.To}} {{.FirstKernelSeq}} {{.LastKernelSeq}} {{.LoadID}} {{json .}}{{end}}" +
		"{{with .Suppressed}}{{.Count}} {{.Reason}} {{.From}} {{.To}} {{json .}}{{end}}{{.Message}}"
	encoder := mustNew(t, Options{Kind: Template, Template: template})
	g, s := gap(), suppressed()
	want := "17 kernel_buffer 2026-01-02T03:04:04.000006789Z 2026-01-02T03:04:05.000006789Z 8 31 1e1b58c6a77ddc69 " +
		string(g.Gap.AppendJSON(nil))
	if diff := cmp.Diff(want, encode(t, encoder, g)); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
	want = "1 rate_limit 2026-01-02T03:04:04.000006789Z 2026-01-02T03:04:05.000006789Z " + string(s.Suppressed.AppendJSON(nil))
	if diff := cmp.Diff(want, encode(t, encoder, s)); diff != "" {
		t.Errorf("suppressed (-want +got):\n%s", diff)
	}
}

// The operator learns of a fault, and of its position, when the configuration is read.
func TestInvalidTemplatesAreRejected(t *testing.T) {
	for template, want := range map[string]string{
		"a\n{{.Mesage}}": "line 2, column 3: unknown field Mesage; the fields are Attributes, BootID, Captures, Command, Error, " +
			"Family, Gap, Group, Host, ID, " +
			"KernelRelease, KernelSeq, KernelTime, Kind, Labels, LoadID, MachineID, Message, Seq, Suppressed, Text, Time",
		"{{if .Gap}}{{.Gap.Cuont}}{{end}}": "line 1, column 18: unknown field Cuont; the fields are Count, " +
			"FirstKernelSeq, From, LastKernelSeq, LoadID, Reason, To",
		"{{range .Labels}}{{$.Hots}}{{end}}": "line 1, column 21: unknown field Hots",
		"{{json (upper .Hots)}}":             "line 1, column 15: unknown field Hots",
		"{{.Message.Foo}}":                   "line 1, column 11: unknown field Foo",
		"{{.Time.Foo}}":                      "line 1, column 8: unknown field Foo",
		"{{.Message":                         "line 1, column 1: {{ is not closed; write }} after it",
		"a\nx {{.Message}":                   "line 2, column 3: {{ is not closed; write }} after it",
		"{{if .Gap}}x":                       "line 1, column 1: {{if}} is not closed; write {{end}} where it ends",
		"é {{message}}":                      "line 1, column 5: unknown function message; write .Message for the field",
		"\n\n{{if}}{{end}}":                  "line 3, column 1: {{if}} lacks a value; write one, such as {{if .Gap}}",
		"{{.Text}}{{$x}}":                    "line 1, column 12: unknown variable $x; define it before, as in {{$x := .Text}}",
		"a\n{{end}}":                         "line 2, column 1: {{end}} belongs to no {{if}}, {{with}} or {{range}}; remove it",
		"{{if .Gap}}a{{end}}{{else}}":        "line 1, column 20: {{else}} belongs to no",
		"{{.Text}}{{break}}":                 "line 1, column 10: {{break}} is outside of {{range}}; remove it",
		"{{ .Message }":                      "line 1, column 1: {{ is not closed",
		`{{upper "a}}`:                       "line 1, column 9: the quote is not closed",
		"{{-.Message-}}":                     `line 1, column 1: a space is missing before or after "-"`,
		"{{.Labels.site-1}}":                 `{{index .Labels "a-b"}}`,
		`{{if .Kind == "gap"}}x{{end}}`:      `line 1, column 12: "=" does not compare; write {{if eq .Kind "gap"}}`,
		"{{upper (lower .Text}}":             "line 1, column 9: the bracket ( is not closed",
		"{{upper .Text)}}":                   "line 1, column 14: ) closes no open bracket",
		"{{upper “a”}}":                      "line 1, column 9: “ is not a quote here",
		"{{/* a }}{{.Text}}":                 "line 1, column 1: a comment is not closed",
		"{{}}":                               "line 1, column 1: {{ }} contains nothing",
		"{{exec \"rm\"}}":                    "line 1, column 3: unknown function exec; the functions are ",
		"":                                   "the template writes nothing",
		"{{/* nothing */}}":                  "the template writes nothing",
		"{{range 1000000000}}{{end}}":        "line 1, column 9: range accepts only .Labels and .Captures",
		"{{$ = .Captures}}":                  "$ is the event; choose another name for the variable",
		"{{range $ := .Captures}}{{end}}":    "$ is the event; choose another name for the variable",
		"{{with .Captures}}{{range .Labels}}{{end}}{{end}}":                              "$.Labels and $.Captures within with and range",
		"{{range .Seq}}{{end}}":                                                          "range accepts only .Labels and .Captures",
		"{{range len .Message}}{{end}}":                                                  "range accepts only .Labels and .Captures",
		"{{with 9999999999}}{{range .}}{{end}}{{end}}":                                   "range accepts only .Labels and .Captures",
		"{{if .Gap}}a{{else}}{{range $i := 9}}{{end}}{{end}}":                            "range accepts only .Labels and .Captures",
		"{{range .Labels}}{{else}}{{range .Time.Unix}}{{end}}{{end}}":                    "range accepts only .Labels and .Captures",
		"{{range $.Labels}}{{range $.Labels}}{{range $.Captures}}x{{end}}{{end}}{{end}}": "more than 2 nested ranges",
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`:                          "define and block are not supported",
		`{{block "a" .}}x{{end}}`:                                                        "define and block are not supported",
		`{{define "template"}}{{template "template"}}{{end}}`:                            "template is not supported",
		`{{template "template" .}}`:                                                      "template is not supported",
	} {
		_, err := New(Options{Kind: Template, Template: template})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", template, err, want)
		}
	}
}

// A failure for one event is an error of that event; the next event is written.
func TestTemplateFailureIsAnErrorOfTheEvent(t *testing.T) {
	for template, want := range map[string]string{
		"{{.Gap.Count}}": "line 1, column 7: <.Gap.Count>: " +
			"error calling Count: this event does not contain it",
		"{{unix .KernelTime}}": "line 1, column 3: <unix .KernelTime>: " +
			"error calling unix: the time is not known",
		"{{.KernelTime.Unix}}":                                   "the time is not known",
		`{{.Host | replace "" "x"}}`:                             "the text to replace is empty",
		"{{slice .Message 0 100}}":                               "the text is too short",
		"{{json .Time.Month}}":                                   "cannot write a time.Month as JSON",
		"{{printf \"%999999d\" 1}}{{printf \"%999999d\" 1}}":     "the template writes more than 1048576 bytes",
		`{{$s := printf "%999999d" 1}}{{$s | replace " " "  "}}`: "the text is longer than 1048576 bytes",
		`{{$s := printf "%999999d" 1}}{{print $s $s}}`:           "the text is longer than 1048576 bytes",
	} {
		encoder := mustNew(t, Options{Kind: Template, Template: template})
		e := bare("x")
		got, err := encoder.Append([]byte("before"), &e)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", template, err, want)
		}
		if string(got) != "before" {
			t.Errorf("%s: %.100q remains after the failed event", template, got)
		}
	}
	encoder := mustNew(t, Options{Kind: Template, Template: "{{slice .Message 1}}"})
	e := bare("")
	if _, err := encoder.Append(nil, &e); err == nil {
		t.Error("no error")
	}
	if got := encode(t, encoder, full("x17")); got != "17" {
		t.Errorf("got %q after an error", got)
	}
}

// A label may be configured after an event was received, and a replayed letter may lack
// captures.
func TestMissingLabelsAndCapturesAreEmpty(t *testing.T) {
	encoder := mustNew(t, Options{Kind: Template, Template: "{{.Labels.site}}|{{.Captures.code}}|{{json .Captures.code}}"})
	if got := encode(t, encoder, bare("x")); got != `||""` {
		t.Errorf("got %q", got)
	}
}

// The longest loop, with a text that doubles at each iteration, ends soon.
func TestTextLengthInLoopsIsLimited(t *testing.T) {
	e := full("x")
	for len(e.Origin.Labels) < 32 {
		e.Origin.Labels = append(e.Origin.Labels, event.Label{Name: strings.Repeat("a", len(e.Origin.Labels)), Value: "v"})
	}
	for _, double := range []string{
		"print $s $s", `printf "%s%s" $s $s`, `replace "x" "xx" $s`, "html $s $s", "js $s $s", "urlquery $s $s",
		"println $s $s",
	} {
		template := `{{$s := "x"}}{{range $.Labels}}{{range $.Labels}}{{$s = ` + double + `}}{{end}}{{end}}`
		_, err := mustNew(t, Options{Kind: Template, Template: template}).Append(nil, &e)
		if err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: %v", double, err)
		}
	}
}

func TestJSONTemplateWritesOneValidLine(t *testing.T) {
	const text = "{\n  \"text\": {{json .Message}},\n  \"site\": \"{{.Family}}\"\n}\n"
	encoder := mustNew(t, Options{Kind: Template, Template: text, ContentType: "application/json"})
	e := bare("two\nlines\u202e")
	if diff := cmp.Diff(`{"text":"two\nlines\u202e","site":"genltest"}`, encode(t, encoder, e)); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	e.Family = "a\u202eb\x7f\U000e0041\xff"
	if diff := cmp.Diff(`{"text":"two\nlines\u202e","site":"a\u202eb\u007f\udb40\udc41\ufffd"}`, encode(t, encoder, e)); diff != "" {
		t.Errorf("without the function json (-want +got):\n%s", diff)
	}
	e.Family = `"`
	if _, err := encoder.Append(nil, &e); err == nil || !strings.Contains(err.Error(), "the result is not JSON: invalid character") {
		t.Errorf("got %v", err)
	}
}

func FuzzTemplatePreservesTheText(f *testing.F) {
	for _, s := range []string{"", "hello", "{{.ID}}", "\xff\xfe", "\x00\x1b[0m", "\u2028", "</script>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e := bare(string(message))
		if got := encode(t, mustNew(t, Options{Kind: Template, Template: "<{{raw .Message}}>"}), e); got != "<"+string(message)+">" {
			t.Errorf("%q became %q", message, got)
		}
		for _, text := range []string{
			"{{.Message}}", "{{.Text | upper | printf \"%.9s\"}}", "{{print .Host .Message}}", "{{html .Message}}",
			"{{.Captures}}{{js .Text}}",
		} {
			e.Captures = []event.Capture{{Name: "c", Value: message}}
			if got := encode(t, mustNew(t, Options{Kind: Template, Template: text}), e); !event.IsVisible([]byte(got)) {
				t.Errorf("%s: %q became %q", text, message, got)
			}
		}
		line := encode(t, mustNew(t, Options{Kind: Template, Template: "{{json .Message}}", ContentType: "application/json"}), e)
		var got string
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != string([]rune(string(message))) {
			t.Errorf("%q became %q: %v", message, line, err)
		}
		if !event.IsVisible([]byte(line)) {
			t.Errorf("is not safe for a terminal: %q", line)
		}
	})
}

// FuzzJSONTemplate writes texts without the function json.
func FuzzJSONTemplate(f *testing.F) {
	f.Add([]byte("a\u202e"))
	f.Add([]byte("\", \"b\": \"\xff"))
	f.Fuzz(func(t *testing.T, message []byte) {
		encoder := mustNew(t, Options{Kind: Template, Template: `{"a": "{{.Message}}"}`, ContentType: "application/json"})
		e := bare(string(message))
		line, err := encoder.Append(nil, &e)
		if err == nil && (!json.Valid(line) || !event.IsVisible(line)) {
			t.Errorf("%q became %q", message, line)
		}
	})
}

// FuzzTemplate searches for a template that a check accepts and that panics, or that
// leaves part of an event that fails.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{.}}", "{{range .Labels}}{{.}}{{end}}", "{{with .Gap}}{{.Count}}{{end}}",
		`{{printf "%v %s" .Time .Message | json}}`, "{{$x := .Labels}}{{range $x}}{{end}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoder, err := New(Options{Kind: Template, Template: text})
		if err != nil {
			if !event.IsVisible([]byte(err.Error())) {
				t.Errorf("the error is not safe for a terminal: %q", err)
			}
			return
		}
		for _, e := range []event.Event{full("x"), gap(), suppressed()} {
			got, err := encoder.Append([]byte("before"), &e)
			if err != nil && string(got) != "before" || len(got) > maxOutput+len("before") {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	})
}

// replaceDots replaces the characters that separate the tokens of a name.
func replaceDots(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '_')
	}
	return append(dst, strings.NewReplacer(".", "_", `\`, "_").Replace(string(value))...)
}

func TestNameReplacesCharactersOfValuesOnly(t *testing.T) {
	e := full("a.b\x1b")
	e.Host, e.Group = "web.1", ""
	e.Captures = []event.Capture{{Name: "code", Value: []byte("1.7")}}
	for text, want := range map[string]string{
		"x.{{.Host}}.{{.Family}}":                                            "x.web_1.genltest",
		"{{.Group}}.{{.Text}}":                                               "_.a_b_x1b",
		"{{.Host | upper}}.{{printf \"%s.%d\" .Host .Seq}}":                  "WEB_1.web_1_7",
		"{{raw .Message}}":                                                   "a_b\x1b",
		"{{if .Group}}{{.Group}}.{{else}}no.{{.Host}}{{end}}":                "no.web_1",
		"{{range $.Labels}}{{.}}.{{end}}{{with .Captures.code}}{{.}}{{end}}": `b "7".berlin.1_7`,
		"{{$h := .Host}}{{$h}}.{{$h}}":                                       "web_1.web_1",
		"{{.Labels.none}}.{{.Attributes.x}}.{{.Time.Unix}}":                  "_._.1767323045",
	} {
		encoder, err := NewName(Name{Text: text, Replace: replaceDots})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := encode(t, encoder, e); got != want {
				t.Errorf("%s: got %q, want %q", text, got, want)
			}
		}
	}
}

func TestNameThatIsNotAcceptedIsAnError(t *testing.T) {
	short := func(name []byte) error {
		if len(name) > 10 {
			return errors.New("is longer than 10 bytes")
		}
		return nil
	}
	encoder, err := NewName(Name{Text: "{{.Host}}", Accept: short})
	if err != nil {
		t.Fatal(err)
	}
	e := full("x")
	if got := encode(t, encoder, e); got != e.Host {
		t.Errorf("got %q", got)
	}
	e.Host = "a-name-of-a-host"
	got, err := encoder.Append([]byte("before"), &e)
	if err == nil || string(got) != "before" || !strings.Contains(err.Error(), "longer than 10") {
		t.Errorf("got %q, %v", got, err)
	}
	encoder, err = NewName(Name{Text: "{{if .Gap}}gaps.{{end}}{{.Host}}.{{.Group}}", Accept: short, Replace: replaceDots})
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(encoder, &Context{}, nil); err == nil || !strings.Contains(err.Error(), "fails for an event: is longer than 10 bytes") {
		t.Errorf("Check: %v", err)
	}
	encoder, _ = NewName(Name{Text: "{{.Labels.site}}"})
	if err := Check(encoder, &Context{}, nil); err == nil || !strings.Contains(err.Error(), "unknown label site") {
		t.Errorf("Check: %v", err)
	}
	if _, err := NewName(Name{Text: "{{.Hots}}"}); err == nil || !strings.Contains(err.Error(), "unknown field Hots") {
		t.Errorf("NewName: %v", err)
	}
}

// The encoder repeats a name only for events with the same values.
func TestNameIsThatOfItsOwnEvent(t *testing.T) {
	long := func(name []byte) error {
		if len(name) < 3 {
			return errors.New("is short")
		}
		return nil
	}
	sites := []*event.Origin{nil, {Labels: []event.Label{{Name: "site", Value: "north"}}}, {Labels: []event.Label{{Name: "site", Value: "s"}}}}
	for _, text := range []string{
		"constant", "{{.Host}}", "{{.Host}}/{{.Group}}", "{{.Family}}", "{{.Labels.site}}", "{{.Host}}{{.Seq}}", "{{.Host}}{{.Captures.x}}",
		"{{.Host}}{{if .Gap}}.gaps{{end}}", "{{.Text}}", "{{json .Host}}",
	} {
		reused, err := NewName(Name{Text: text, Accept: long})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			one, other := []string{"a", "long"}[rand.IntN(2)], []string{"x", "longer"}[rand.IntN(2)]
			e := full(other)
			e.Host, e.Family, e.Group, e.Origin, e.Seq = one, other, one, sites[rand.IntN(len(sites))], rand.Uint64N(3)
			if rand.IntN(2) == 0 {
				e.Gap = &event.Gap{Count: 1, Reason: "receive_buffer"}
			}
			fresh, _ := NewName(Name{Text: text, Accept: long})
			want, wantErr := fresh.Append(nil, &e)
			got, err := reused.Append(nil, &e)
			if string(got) != string(want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: %q, %v, want %q, %v", text, got, err, want, wantErr)
			}
		}
	}
}

func BenchmarkName(b *testing.B) {
	same := func(dst, value []byte) []byte { return append(dst, value...) }
	encoder, err := NewName(Name{Text: "genltestd.{{.Host}}.{{.Family}}.{{.Group}}", Replace: same})
	if err != nil {
		b.Fatal(err)
	}
	e, buf := full("x"), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = encoder.Append(buf[:0], &e); err != nil {
			b.Fatal(err)
		}
	}
}
