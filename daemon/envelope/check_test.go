// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
)

// faults returns the faults that a check finds, one per line.
func faults(t *testing.T, o Options, c *Context) string {
	t.Helper()
	o.Kind = Template
	if err := Check(mustNew(t, o), c, nil); err != nil {
		return err.Error()
	}
	return ""
}

// Both media types are JSON.
func TestTextJSONTemplateMustWriteJSON(t *testing.T) {
	got := faults(t, Options{Template: "{{.Text}}", ContentType: "text/json; charset=utf-8"}, &Context{})
	if !strings.Contains(got, "the result is not JSON") {
		t.Errorf("got %q", got)
	}
}

// An event that its template cannot write becomes a dead letter. A template that fails
// for any event of a sink is therefore a fault of the configuration.
func TestCheckReportsTemplatesThatFailForSomeEvents(t *testing.T) {
	for template, want := range map[string]string{
		"{{.Labels.site}}":   "line 1, column 10: unknown label site; add labels: {site: VALUE} below event:",
		"{{.Captures.code}}": "line 1, column 12: unknown capture code; add extract to the sink, with a group (?P<code>...)",
		"{{with .Labels}}{{.site}}{{end}}": `line 1, column 19: fails for an event: <.site>: map has no entry for key ` +
			`"site"; no label or capture has this name`,
		"{{$l := .Labels}}{{$l.site}}": "no label or capture has this name",
		"a\n {{json}}": "line 2, column 4: fails for an event: <json>: json requires 1 argument, " +
			"and has 0; pass a value, such as {{json .Text}}",
		"{{call .Message}}": "an event contains no functions; remove call",
		"{{len 3}}":         "line 1, column 3: fails for an event: <len 3>: a number does not have a length; write {{len .Text}}",
		"{{.Gap.Count}}": "line 1, column 7: fails for an event: <.Gap.Count>: error calling Count: this " +
			"event does not contain it; write {{with .Gap}}{{.Count}}{{end}}",
		"{{$.Suppressed.Count}}": "write {{with .Suppressed}}{{.Count}}{{end}}",
		"{{unix .KernelTime}}": "fails for an event without a number, a time and captures: <unix .KernelTime>: " +
			"error calling unix: the time is not known; write {{with .KernelTime}}",
		"{{.KernelTime.Year}}": "the time is not known",
		"{{slice .Message 0 4}}": `fails for an event with an empty text: <slice .Message 0 4>: the text ` +
			`is too short; shorten a text by {{printf "%.100s" .Text}}`,
		"{{index .Message 0}}": "fails for an event with an empty text",
		"{{upper .Seq}}":       "a number is not a text; write a field such as .Text",
		"{{printf .Message}}": "the value must be a text in quotes, such as the format in " +
			`{{printf "%s" .Text}}`,
		`{{printf "%d" .Text}}`: `error calling printf: the format "%d" does not match its values: ` +
			`%d does not write a text; write %s for a text and %d for a number`,
		`{{printf "%s %s" .Host}}`:                                                         "there are more verbs than values",
		`{{printf "%s" .Host .Text}}`:                                                      "there are more values than verbs",
		`{{printf "100%% %.3s %05d %v %q" .Host .Seq .Time .Text}}`:                        "",
		"{{if .Gap}}{{json}}{{end}}":                                                       "fails for a gap",
		"{{with .Suppressed}}{{len 3}}{{end}}":                                             "fails for a summary of suppressed events",
		`{{if eq .Message "x"}}{{len 3}}{{end}}`:                                           "line 1, column 25: <len 3>",
		`{{if eq .Message "x"}}a{{else if eq .Host "y"}}{{if .Gap}}{{json}}{{end}}{{end}}`: "<json>",
		`{{if eq .Message "x"}}{{if eq .Host "y"}}{{json}}{{end}}{{end}}`:                  "line 1, column 44: <json>",
		`{{if ne .Host "web-1"}}{{.Gap.Count}}{{else}}b{{end}}`:                            "line 1, column 30",
		`{{if eq .Host "web-7"}}{{.Gap.Count}}{{end}}`:                                     "line 1, column 30",
		`{{if eq .Host "web-7"}}{{slice .Message 0 9}}{{end}}`:                             "line 1, column 26",
		`{{if gt .KernelSeq 99}}{{.Gap.Count}}{{end}}`:                                     "line 1, column 30",
		`{{if eq .Message "x"}}{{.Gap.Count}}{{end}}`:                                      "line 1, column 29",
		`{{slice .Host 0 3}}`:                                                              "a host with a short name",
		`{{printf "100%!"}}`:                                                               "which is not a verb",
		`{{replace "a" "` + strings.Repeat("b", 300) + `" .Text}}`:                         "the text is longer than",
		`{{printf "%1040000s" .Text}}`:                                                     "more than 1048576 bytes",
		`{{with .Host}}{{.Message}}{{end}}`: "a text does not have the field " +
			"Message; write $.Message",
		`{{eq .Seq "7"}}`:                              "eq cannot compare a number and a text",
		`{{index .Labels .Host}}`:                      "index needs a name in quotes",
		`{{(.Gap).Count}}`:                             "{{with .Gap}}{{.Count}}{{end}}",
		`{{$g := .Gap}}{{$g.Count}}`:                   "{{with .Gap}}{{.Count}}{{end}}",
		`{{if eq .Host "x"}}{{len 3}}{{else}}b{{end}}`: "line 1, column 22: <len 3>",
		`{{range .Captures}}{{end}}{{$s := .Message}}{{if eq 1 $s}}{{end}}`: "cannot compare a number and a text",
	} {
		c := &Context{}
		if strings.Contains(template, "index .Labels") || strings.Contains(want, "no label or capture") {
			c.Labels = []event.Label{{Name: "rack", Value: "7"}}
		}
		got := faults(t, Options{Template: template}, c)
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s\ngot  %s\nwant %s", template, got, want)
		}
	}
}

func TestCheckReportsTemplatesThatWriteInvalidJSON(t *testing.T) {
	for template, want := range map[string]string{
		`{"a": {{.Message}}`: `line 1, column 9: fails for an event: the result is not JSON: invalid ` +
			`character 'd' looking for beginning of value after "{\"a\": "; write {{json .Message}}, without quotes around it`,
		`{"a": {{json .Message}}`: "fails for an event: the result is not JSON: unexpected end of JSON input",
		"{\n \"a\": \"{{.Message}}\"}": "line 2, column 10: fails for an event with quotes, braces and backslashes " +
			"in its text: the result is not JSON",
		`{"a": {{json .Message}},}`:                                "line 1, column 25: fails for an event",
		`{"a": {{with .Gap}}{{.Count}}{{end}}}`:                    "line 1, column 14: fails for an event",
		`{"a": 1,{{if .Gap}} "g": 1{{end}}}`:                       "this part is empty; add {{else}} with another value, or move the comma",
		`{"a": {{.Labels.rack}}}`:                                  "line 1, column 9: fails for an event received before event: was configured",
		`{"a": {{if eq .Host "b"}}"{{.Message}}"{{else}}1{{end}}}`: "line 1, column 29",
		`{"a": {{if gt .Seq 99}}x{{else}}1{{end}}}`:                "line 1, column 24",
		`{'x': 1}`: "line 1, column 2: fails for an event: the result is not JSON: invalid character '\\'' " +
			"looking for beginning of object key string after \"{\"; write double quotes in place of single quotes",
		`{"x": True}`:                  "true, false and null in lower case",
		`{"x": {"y": {{.Seq}}}`:        "line 1, column 1: fails for an event",
		`{"x": "{{.ID}}}`:              `line 1, column 7: fails for an event: the result is not JSON: unexpected end of JSON input`,
		`{"x": "\d"}`:                  `write \\ for a backslash`,
		`{"a": 1,}`:                    "remove the comma before }",
		`{"a": "{{.Message | html}}"}`: "line 1, column 10",
		`[{{if eq .Host "a"}}"x"{{end}}{{if ne .Host "a"}}"y"{{end}}]`: "",
		`{{.Text}}`:                    "the result is not JSON",
		`{"n": {{len .Message}}}`:      "",
		`{{json .}}`:                   "",
		`{"a": "{{.Host}} {{.Kind}}"}`: "",
		`{"t": {{if eq .Host "a"}}1{{else if eq .Host "b"}}2{{else}}3{{end}}}`: "",
		`[{{if eq .Host "a"}}1{{end}}{{if ne .Host "a"}}2{{end}}]`:             "",
	} {
		c := &Context{Labels: []event.Label{{Name: "rack", Value: "7"}}}
		got := faults(t, Options{Template: template, ContentType: "application/json"}, c)
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s\ngot  %s\nwant %s", template, got, want)
		}
	}
}

func TestCheckAcceptsConfiguredNames(t *testing.T) {
	c := &Context{Labels: []event.Label{{Name: "site", Value: "berlin"}}, Captures: []string{"code"}, BootID: true}
	for _, template := range []string{
		"{{.Labels.site}} {{.Captures.code}} {{.BootID}} {{.MachineID}}",
		"{{with .Labels}}{{.site}}{{end}}{{with .Captures}}{{.code}}{{end}}",
		`{{index .Labels "other"}}{{range $k, $v := .Labels}}{{$k}}={{$v}}{{end}}`,
		"{{with .Gap}}{{.Count}}{{end}}{{with .KernelTime}}{{unix .}}{{end}}",
		`{{if .Gap}}{{.Gap.Count}}{{else if and .Message (gt (len .Message) 9)}}{{slice .Message 0 9}}{{end}}`,
		`{{printf "%.100s" .Text}}{{.Time.Local.Format "15:04"}}{{.KernelTime}}`,
		`{{if eq .Host "db-1"}}{{upper .Text}}{{end}}`,
	} {
		if got := faults(t, Options{Template: template}, c); got != "" {
			t.Errorf("%s: %s", template, got)
		}
	}
	got := faults(t, Options{Template: "{{.Labels.sote}}"}, c)
	if want := "unknown label sote; event.labels has site"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	got = faults(t, Options{Template: "{{.Captures.cod}}"}, c)
	if want := "unknown capture cod; extract has code"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCheckPassesEveryResultToItsCaller(t *testing.T) {
	encoder := mustNew(t, Options{Kind: Template, Template: "{{with .Gap}}gap{{end}}"})
	err := Check(encoder, &Context{}, func(result []byte) error {
		if !bytes.Equal(result, []byte("gap")) {
			return errors.New("is empty")
		}
		return nil
	})
	if err == nil || err.Error() != "fails for an event: is empty" {
		t.Errorf("got %v", err)
	}
	for name, encoder := range all(t) {
		if name == string(Template) {
			continue
		}
		if err := Check(encoder, &Context{}, func([]byte) error { return errors.New("no") }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Several faults of one template are reported together, each once.
func TestCheckReportsEachPositionOnce(t *testing.T) {
	got := faults(t, Options{Template: "{{if .Gap}}{{json}}{{else}}{{len 3}}{{end}}"}, &Context{})
	if lines := strings.Split(got, "\n"); len(lines) != 2 {
		t.Errorf("got\n%s", got)
	}
}

// The work of a template for one event has a limit that does not depend on the machine.
func TestWorkOfATemplateIsLimited(t *testing.T) {
	e := full("x")
	for len(e.Captures) < 1000 {
		e.Captures = append(e.Captures, event.Capture{Name: strings.Repeat("a", len(e.Captures)), Value: []byte("v")})
	}
	long := `{{$s := printf "%999999d" 1}}`
	for template, want := range map[string]string{
		"{{range .Captures}}{{range $.Captures}}{{if .}}a{{end}}{{end}}{{end}}":                        "too many iterations",
		long + "{{range .Captures}}{{len (upper $s)}}{{end}}":                                          "creates more than",
		`{{printf "` + strings.Repeat("%999999d", 100) + `" 1}}`:                                       "the text is longer",
		`{{printf "%*d%*d" 999999 1 999999 1}}`:                                                        "the text is longer",
		long + `{{printf "` + strings.Repeat("%[1]s", 100) + `" $s}}`:                                  "the text is longer",
		long + `{{print` + strings.Repeat(" $s", 100) + `}}`:                                           "the text is longer",
		`{{$s := "1"}}{{range .Captures}}{{$s = printf "%s%s" $s $s}}{{$s = $.Time.Format $s}}{{end}}`: "longer than",
	} {
		encoder := mustNew(t, Options{Kind: Template, Template: template})
		if _, err := encoder.Append(nil, &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s\ngot  %v\nwant %s", template, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"{{.Gap.Count}}", `{{if eq .Host "x"}}{{json}}{{end}}`, "{{range .Labels}}{{.}}{{else}}a{{end}}",
		"{{with $x := .Text}}{{$x}}{{end}}",
	} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, isJSON bool) {
		o := Options{Kind: Template, Template: text}
		if isJSON {
			o.ContentType = "application/json"
		}
		encoder, err := New(o)
		if err != nil {
			return
		}
		c := &Context{Labels: []event.Label{{Name: "site", Value: "berlin"}}, Captures: []string{"code"}}
		checked := Check(encoder, c, nil)
		if checked != nil && !event.IsVisible([]byte(strings.ReplaceAll(checked.Error(), "\n", ""))) {
			t.Errorf("the error is not safe for a terminal: %q", checked)
		}
		for _, s := range c.samples() {
			if _, err := encoder.Append(nil, &s.event); err != nil && checked == nil {
				t.Errorf("%q: the check passed, and %s fails: %v", text, s.name, err)
			}
		}
	})
}
