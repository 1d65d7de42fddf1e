// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func stepTemplates() (texts []string) {
	for _, field := range []string{
		".ID", ".Seq", ".Kind", ".Time", ".KernelTime", ".KernelSeq", ".LoadID", ".Host", ".Family", ".Group", ".Message", ".Text",
		".MachineID", ".BootID", ".KernelRelease", ".Labels.site", ".Labels.none", ".Captures.code", ".Gap", ".Suppressed", ".",
		".Command", ".Error", ".Attributes", "attribute .Attributes \"17\"",
		".Attributes.header.dev_name", ".Attributes.header", ".Attributes.flags",
		".Attributes.firmware", ".Attributes.serial", ".Attributes.none.at_all",
	} {
		texts = append(texts, "a{{"+field+"}}b", "{{json "+field+"}}", "[ {{"+field+" | json}} , 1 ]", `{ "a" : "{{`+field+`}} \" {{.Kind}}" }`)
	}
	return append(texts,
		"{{with .Gap}}{{.Count}}{{end}}{{.Text}}{{if .Message}} {{$.Host}}{{end}}{{upper .Host}}",
		"{{$x := .Host}}{{.Text}}{{$x}}", "{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}{{.ID}}", "{{.Text -}}  x  {{- .Host}}",
		`{"s":{{.Seq}}, "k": {{.KernelSeq}}, "t" : {{json .KernelTime}}, "x": "a  b`+"\u202e"+` {{.ID}} {{.Seq}}" }`,
		`{ {{json .KernelTime}}: 1}`, `{ {{json .Host}}: -{{.Seq}} }`, `[-{{json .Host}}]`,
		`[{{.KernelSeq}}{{.Seq}}]`, `["a\\{{.Kind}}"]`, `["a\{{.Kind}}"]`,
		"[1{{json .Text}}]", `{"a":{{json .Text}}`, `[{{.Seq}} {{.Seq}}]`, "[ 1,\n{{.Time}}]")
}

func stepEvents(message, host string) []event.Event {
	e, none, g, s := full(message), bare(message), gap(), suppressed()
	e.Host, g.Host = host, host
	e.Captures[0].Value = []byte(message)
	l, u := link(), undecoded()
	l.Host, l.Content.Command = host, message
	return []event.Event{e, none, g, s, l, u}
}

// compareSteps executes a template by its parts and as a whole, with the same result.
func compareSteps(t *testing.T, o Options, e *event.Event) {
	t.Helper()
	fast, err := newTemplate(o.Template, o.ContentType)
	if err != nil {
		t.Fatalf("%s: %v", o.Template, err)
	}
	slow, err := newTemplate(o.Template, o.ContentType)
	if err != nil {
		t.Fatal(err)
	}
	slow.parts, slow.isStatic = nil, false
	got, gotErr := fast.Append(nil, e)
	want, wantErr := slow.Append(nil, e)
	if diff := cmp.Diff(string(want), string(got)); diff != "" || (gotErr == nil) != (wantErr == nil) {
		t.Errorf("%s of a %s %q (-want +got):\n%s\nwant error %v, got %v", o.Template, e.Kind(), e.Message, diff, wantErr, gotErr)
	}
}

func TestPartsMatchTheWholeTemplate(t *testing.T) {
	for _, text := range stepTemplates() {
		for _, message := range []string{"hello", "", "a\"b\\\x1b\u202e\xff\n", "\U000e0041"} {
			for _, e := range stepEvents(message, message) {
				compareSteps(t, Options{Template: text}, &e)
				compareSteps(t, Options{Template: text, ContentType: "application/json"}, &e)
			}
		}
	}
}

func FuzzPartsMatchTheWholeTemplate(f *testing.F) {
	for _, text := range stepTemplates() {
		f.Add(text, "hello \x1b\xff", "web-1", true)
	}
	f.Fuzz(func(t *testing.T, text, message, host string, isJSON bool) {
		o := Options{Template: text}
		if isJSON {
			o.ContentType = "application/json"
		}
		if _, err := newTemplate(o.Template, o.ContentType); err != nil {
			return
		}
		for _, e := range stepEvents(message, host) {
			compareSteps(t, o, &e)
		}
	})
}

func TestSimpleTemplatesAllocateNothing(t *testing.T) {
	for _, o := range []Options{
		{Template: "{{.Time}} {{.Host}}: {{.Text}}"},
		{
			Template:    `{"host": {{json .Host}}, "kind": "{{.Kind}}", "text": {{json .Text}}, "time": {{json .Time}}}`,
			ContentType: "application/json",
		},
	} {
		encoder, err := newTemplate(o.Template, o.ContentType)
		if err != nil {
			t.Fatal(err)
		}
		e, buf := full("caf\u00e9 \xff \x1b"), make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { buf, err = encoder.Append(buf[:0], &e) }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v", o.Template, n, err)
		}
	}
}
