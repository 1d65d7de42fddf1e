// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

const (
	linkText = `features-ntf header.dev-index=2 header.dev-name=café flags=["up"] ` +
		`firmware="1 \u001b[2J\u202e]\"\n" serial="\ufffd" serial_base64="/w==" 17=cafe`
	undecodedText = `decoding failed: too \x1b short; message 0102`
)

func TestEnvelopesOfAnotherFamily(t *testing.T) {
	const syslogHead = "<30>1 2026-01-02T03:04:05.000006Z web-1 genltestd - event [genltestd@32473 id=\"j-1\" seq=\"1\" family=\"ethtool\" " +
		"group=\"monitor\" command="
	const logfmtHead = "id=j-1 seq=1 kind=event time=2026-01-02T03:04:05.000006789Z host=web-1 family=ethtool group=monitor command="
	for _, c := range []struct {
		options Options
		event   event.Event
		want    string
	}{
		{Options{Kind: Raw}, link(), linkText},
		{Options{Kind: Raw}, undecoded(), undecodedText},
		{Options{Kind: RFC5424, Syslog: SyslogOptions{Facility: 3, Severity: 6}}, link(), syslogHead + `"features-ntf"] ` + linkText},
		{Options{Kind: RFC5424, Syslog: SyslogOptions{Facility: 3, Severity: 6}}, undecoded(), syslogHead + `""] ` + undecodedText},
		{
			Options{Kind: Logfmt}, link(), logfmtHead + "features-ntf attr_header_dev_index=2 attr_header_dev_name=\"café\" " +
				`attr_flags="[\"up\"]" attr_firmware="1 \u001b[2J\u202e]\"\n" attr_serial="\ufffd" attr_serial_base64="/w==" attr_17=cafe`,
		},
		{Options{Kind: Logfmt}, undecoded(), logfmtHead + `"" error="too \u001b short" raw=0102`},
	} {
		if diff := cmp.Diff(c.want, encode(t, mustNew(t, c.options), c.event)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.options.Kind, diff)
		}
	}
}

func TestSyslogMarksTheTextOfAnotherFamily(t *testing.T) {
	e := link()
	text, err := mustNew(t, Options{Kind: RFC5424}).(event.Marker).AppendMarked(nil, &e)
	if err != nil || !strings.HasSuffix(string(text), "] "+byteOrderMark+linkText) {
		t.Errorf("%v: %q", err, text)
	}
}

func TestCloudEventsOfAnotherFamily(t *testing.T) {
	unnamed := undecoded()
	unnamed.Family = "802.15.4 MAC"
	lost := gap()
	lost.Family, lost.Group = "ethtool", ""
	for _, c := range []struct {
		event    event.Event
		want     string
		wantType string
		subject  string
	}{
		{
			link(), `"type":"com.github.genltestd.ethtool.features-ntf","subject":"ethtool/features-ntf","source"`,
			"ethtool.features-ntf", "ethtool/features-ntf",
		},
		{unnamed, `"type":"com.github.genltestd.802.15.4 MAC","subject":"802.15.4 MAC","source"`, "802.15.4%20MAC", "802.15.4%20MAC"},
		{lost, `"type":"com.github.genltestd.gap","source"`, "gap", ""},
	} {
		got := encode(t, mustNew(t, Options{Kind: CloudEvents}), c.event)
		data := string(c.event.AppendJSON(nil))
		if !strings.Contains(got, c.want) || !strings.HasSuffix(got, `"data":`+data+"}") {
			t.Errorf("got %s, want %s", got, c.want)
		}
		headers := make(map[string]string)
		binary := mustNew(t, Options{Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true}}).(event.Attributer)
		binary.Attributes(&c.event, func(name, value string) { headers[name] = value })
		if headers["ce-type"] != "com.github.genltestd."+c.wantType || headers["ce-subject"] != c.subject {
			t.Errorf("headers %v, want the type %s and the subject %s", headers, c.wantType, c.subject)
		}
	}
}

func TestTemplatesOfAnotherFamily(t *testing.T) {
	for template, want := range map[string]string{
		"{{.Text}}|{{.Message}}":                                          linkText + "|",
		"{{.Command}} {{.Family}} {{.Error}}":                             "features-ntf ethtool ",
		"{{.Attributes.header.dev_name}}":                                 "café",
		"{{.Attributes.firmware}}":                                        `1 \x1b[2J\u202e]"\n`,
		"{{.Attributes.none.at_all}}{{.Attributes.flags.x}}":              "",
		"{{json .Attributes.header}}":                                     `{"dev-index":2,"dev-name":"café"}`,
		"{{.Attributes.header | json}}":                                   `{"dev-index":2,"dev-name":"café"}`,
		"{{.Attributes.header}}":                                          `{"dev-index":2,"dev-name":"café"}`,
		"{{json .Attributes.header.dev_index}} {{json .Attributes.none}}": "2 null",
		"{{json .Attributes.firmware}}":                                   `"1 \u001b[2J\u202e]\"\n"`,
		`{{if eq .Attributes.header.dev_index "2"}}two{{end}}{{if .Attributes.none}}x{{end}}`:           "two",
		`{{with .Attributes.header.dev_name}}{{upper .}} {{$.Attributes.header.dev_index}}{{end}}`:      "CAFÉ 2",
		`{{$n := .Attributes.header.dev_name}}{{printf "%s!" $n}} {{attribute .Attributes "17"}}`:       "café! cafe",
		`{{if and .Attributes.flags (ne .Attributes.header.dev_name "x")}}{{.Attributes.flags}}{{end}}`: `["up"]`,
		`{{raw .Attributes.header.dev_name | base64}}`:                                                  "Y2Fmw6k=",
	} {
		if diff := cmp.Diff(want, encode(t, mustNew(t, Options{Kind: Template, Template: template}), link())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", template, diff)
		}
	}
	const all = "{{.Command}}{{.Attributes.header.dev_name}}{{.Error}}{{if .Attributes}}x{{end}}{{json .Attributes.a}}{{json .Attributes}}"
	if got := encode(t, mustNew(t, Options{Kind: Template, Template: all}), full("x")); got != "nullnull" {
		t.Errorf("an event of genltest: %s", got)
	}
	if got := encode(t, mustNew(t, Options{Kind: Template, Template: "{{.Error}} {{.Attributes}}"}), undecoded()); got != `too \x1b short {}` {
		t.Errorf("a message that was not decoded: %s", got)
	}
}

func TestCheckFindsFaultsWithAttributes(t *testing.T) {
	known := &Context{UnknownAttribute: func(path []string) string {
		if path[0] == "header" {
			return ""
		}
		return "unknown attribute " + path[0]
	}}
	isJSON := Options{ContentType: "application/json"}
	for _, c := range []struct {
		template string
		options  Options
		context  *Context
		want     string
	}{
		{"{{.Attributes.header.dev_name}}", Options{}, &Context{}, "line 1, column 14: no event has attributes; add a family"},
		{"a {{$.Attributes.headr.dev_name}}", Options{}, known, "line 1, column 6: unknown attribute headr"},
		{"{{if .Seq}}{{json .Attributes.headr}}{{end}}", Options{}, known, "unknown attribute headr"},
		{"{{with .Attributes}}{{.header}}{{end}}", Options{}, known, "write $.Attributes.header"},
		{"{{.Attributes.header.dev_name}} {{.Attributes.header.dev_index}}", Options{}, known, ""},
		{`{"a": "{{.Attributes.header.dev_name}}"}`, isJSON, known, "write {{json .Attributes.header.dev_name}}, without quotes around it"},
		{`{"a": {{json .Attributes.header.dev_name}}}`, isJSON, known, ""},
		{`{{"a"}}: {{upper .Message}}{{slice .Text 0 1}}`, Options{}, known, "fails for an event with an empty text"},
	} {
		c.options.Template = c.template
		if got := faults(t, c.options, c.context); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s\n got %s\nwant %s", c.template, got, c.want)
		}
	}
}

func TestTemplatesOfAttributesAllocateNothing(t *testing.T) {
	encoder, err := newTemplate(`{"dev": {{json .Attributes.header.dev_name}}, "command": {{json .Command}}}`, "application/json")
	if err != nil || !encoder.isStatic {
		t.Fatal("the template is not static", err)
	}
	e, buf := link(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf, err = encoder.Append(buf[:0], &e) }); n != 0 || err != nil {
		t.Errorf("%v allocations, %v", n, err)
	}
	if want := `{"dev":"café","command":"features-ntf"}`; string(buf) != want {
		t.Errorf("got %s", buf)
	}
}
