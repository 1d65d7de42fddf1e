// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCheckReportsAnInvalidTemplate(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n"+
		"- name: chat\n  envelope: template\n  template: |\n    {{.Host}}\n    {{.Mesage}}\n  stdout: {}\n")
	err := Check(cfg, Dirs{})
	const want = "test.yaml:8:7: sinks[1].template: line 2, column 3: unknown field Mesage"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	cfg.Sinks[1].Template = "{{.Message}}"
	if err := Check(cfg, Dirs{}); err != nil {
		t.Error(err)
	}
}

// A template that fails for an event must be reported before there is an event.
func TestCheckRendersTemplatesWithConfiguredNames(t *testing.T) {
	const text = `event:
  labels: {rack: b7}
sinks:
  - name: gapless
    envelope: template
    template: "{{.Host}} {{.Gap.Count}}"
    stdout: {}
  - name: captures
    extract: 'sd(?P<disk>[a-z])'
    envelope: template
    template: '{{.Captures.disk}} {{.Labels.rack}} {{.Captures.unit}} {{.Labels.site}}'
    stdout: {}
  - name: broken-extract
    extract: 'sd(?P<disk>'
    envelope: template
    content_type: application/json
    template: |
      {
        "disk": {{json .Captures.disk}},
        "text": {{.Text}}
      }
    stdout: {}
  - name: empty
    envelope: template
    template: "{{.Message}}"
    syslog: {address: "udp://127.0.0.1:514"}
  - name: good
    extract: 'sd(?P<disk>[a-z])'
    envelope: template
    content_type: application/json
    template: '{"disk": {{json .Captures.disk}}, "rack": {{json .Labels.rack}}{{with .Gap}}, "lost": {{.Count}}{{end}}}'
    stdout: {}
`
	want := strings.Join([]string{
		`t.yaml:6:32: sinks[0].template: line 1, column 17: fails for an event: ` +
			`<.Gap.Count>: error calling Count: this event does not contain it; write {{with .Gap}}{{.Count}}{{end}}`,
		`t.yaml:11:63: sinks[1].template: line 1, column 48: unknown capture unit; extract has disk`,
		`t.yaml:14:15: sinks[2].extract: error parsing regexp: missing closing ): ` + "`sd(?P<disk>`",
		`t.yaml:20:19: sinks[2].template: line 3, column 13: fails for an event: ` +
			`the result is not JSON: invalid character 'd' looking for beginning of value after " failed\",\n  \"text\": "; ` +
			`write {{json .Text}}, without quotes around it`,
		`t.yaml:25:15: sinks[3].template: fails for an event with an empty text: ` +
			`the result is empty, which a syslog message cannot be; write a word before the text`,
	}, "\n")
	cfg, err := config.Parse("t.yaml", []byte(text), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, Check(cfg, Dirs{}).Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// newSink creates the sink of an entry as the daemon does.
func newSink(c *config.Sink, opts *Options) (sink.Sink, error) {
	encoder, err := pipeline.NewEncoder(c)
	if err != nil {
		return nil, err
	}
	return opts.newSink(c, encoder)
}

// Each sink writes its own envelope, on one line.
func TestEachSinkWritesItsEnvelope(t *testing.T) {
	for yaml, want := range map[string]string{
		"raw":     `two\nlines`,
		"logfmt":  `message="two\nlines"`,
		"rfc5424": `] two\nlines`,
		"cloudevents\n  cloudevents: {type: org.example}":                                 `{"specversion":"1.0","type":"org.example.event"`,
		"template\n  template: \"{{.Host}}: {{.Text}}\\n\"":                               `web-1: two\nlines`,
		"template\n  content_type: application/json\n  template: \"[\\n{{json .Text}}]\"": `["two\nlines"]`,
	} {
		cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n  envelope: "+yaml+"\n")
		var out bytes.Buffer
		s, err := newSink(&cfg.Sinks[0], &Options{Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		e := event.Event{JournalID: "j", Seq: 1, Host: "web-1", Message: []byte("two\nlines")}
		if n, err := s.Deliver(t.Context(), []event.Event{e}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if line, rest, _ := strings.Cut(out.String(), "\n"); !strings.Contains(line, want) || rest != "" {
			t.Errorf("%s: %q, want %s in one line", yaml, out.String(), want)
		}
	}
}

func TestTemplateFailureIsAPermanentError(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n  envelope: template\n  template: \"{{slice .Message 1}}\"\n")
	var out bytes.Buffer
	s, err := newSink(&cfg.Sinks[0], &Options{Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := s.Deliver(t.Context(), []event.Event{{JournalID: "j", Seq: 1}})
	if n != 0 || sink.Poisoned(err) != 1 || sink.RefusalOf(err).Kind != sink.RefusedEncode || out.Len() > 0 {
		t.Errorf("accepted %d, %v, wrote %q", n, err, out.String())
	}
}
