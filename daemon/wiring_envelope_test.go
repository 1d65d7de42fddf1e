// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCheckFindsATemplatesFault(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n- name: chat\n  envelope: template\n  template: |\n    {{.Host}}\n    {{.Mesage}}\n  stdout: {}\n")
	err := Check(cfg, Dirs{})
	const want = "test.yaml:6:13: sinks[1].template: line 2:2: there is no field Mesage"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	cfg.Sinks[1].Template = "{{.Message}}"
	if err := Check(cfg, Dirs{}); err != nil {
		t.Error(err)
	}
}

// Each sink has its own envelope, whatever it is, on one line.
func TestASinkWritesItsEnvelope(t *testing.T) {
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

func TestAFailingTemplateIsAPermanentError(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n  envelope: template\n  template: \"{{.Captures.code}}\"\n")
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
