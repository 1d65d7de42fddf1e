// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
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

// A start and a reload use the rules and the envelopes that Check compiled. Only additional
// workers require their own envelopes.
func TestSetUsesCompiledRulesOfCheck(t *testing.T) {
	r := newFixture(t)
	encoders := map[string][]event.Encoder{}
	r.onNew = func(c *config.Sink, encoder event.Encoder) { encoders[c.Name] = append(encoders[c.Name], encoder) }
	wants := func(c *Checked, i int, s *Set) {
		t.Helper()
		made := &c.sinks[i]
		if p := s.Of(made.cfg.Name); p == nil || p.setup.Route.Rules != made.rules {
			t.Errorf("%s: the pipeline does not use the compiled rules", made.cfg.Name)
		}
		if got := encoders[made.cfg.Name]; len(got) != made.cfg.Workers || got[0] != made.encoder {
			t.Errorf("%s: got %d envelopes for %d workers, or not the compiled one", made.cfg.Name, len(got), made.cfg.Workers)
		} else if len(got) > 1 && got[0] == got[1] {
			t.Errorf("%s: two workers share an envelope", made.cfg.Name)
		}
	}
	const a = "sinks:\n- {name: a, filter: 'seq > 1', envelope: template, template: '{{.Text}}', stdout: {}}\n"
	first := Check(parse(t, a), nil)
	s := r.openChecked(t, first)
	s.Start(t.Context())
	t.Cleanup(func() { r.journal.Seal(); s.Drain(0); s.Close() })
	wants(first, 0, s)

	second := Check(parse(t, a+"- {name: b, workers: 2, envelope: cloudevents, webhook: {url: 'http://h/'}}\n"), nil)
	p, err := s.Plan(second)
	if err != nil {
		t.Fatal(err)
	}
	p.Switch(0)
	p.Finish(t.Context(), 0)
	wants(second, 1, s)
	if s.Of("a").setup.Route.Rules != first.sinks[0].rules {
		t.Error("the rules of an unchanged sink were replaced")
	}
}

// Invalid contains the faults that prevent opening a sink, and Failing all others.
func TestCheckSeparatesInvalidFromFailingSinks(t *testing.T) {
	c := Check(parse(t, `sinks:
- {name: a, filter: 'mesage', exec: {argv: [/no/such/program]}}
- {name: b, envelope: template, template: '{{.Mesage}}', stdout: {}}
- {name: c, envelope: template, template: '{{.Gap.Count}}', stdout: {}}
`), nil)
	paths := func(faults config.Errors) (all []string) {
		for _, f := range faults {
			all = append(all, f.Path)
		}
		return all
	}
	if diff := cmp.Diff([]string{"sinks[0].filter", "sinks[1].template"}, paths(c.Invalid)); diff != "" {
		t.Errorf("invalid (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sinks[0].exec.argv[0]", "sinks[2].template"}, paths(c.Failing)); diff != "" {
		t.Errorf("failing (-want +got):\n%s", diff)
	}
}

// Each attempt to open a sink uses the rules that Check compiled.
func TestRetryUsesCheckedRules(t *testing.T) {
	r := newFixture(t)
	broken := errors.New("not yet")
	r.fault = func(*config.Sink) error { return broken }
	c := Check(configured("late"), nil)
	s := r.openChecked(t, c)
	s.Start(t.Context())
	t.Cleanup(func() { r.journal.Seal(); s.Drain(0); s.Close() })
	s.Retry()
	if !errors.Is(s.Fault("late"), broken) {
		t.Fatalf("fault %v", s.Fault("late"))
	}
	r.fault = nil
	s.Retry()
	if p := s.Of("late"); p == nil || p.setup.Route.Rules != c.sinks[0].rules {
		t.Errorf("pipeline %+v", p)
	}
}

// A template whose result exceeds max_message for every event sends all of them to the dead
// letters.
func TestCheckFindsTemplateAboveMaxMessage(t *testing.T) {
	for keys, tooLong := range map[string]bool{
		`template: '{{printf "%9000s" .Text}}', udp: {address: 'udp://h:1'}`:                        true,
		`template: '{{printf "%9000s" .Text}}', syslog: {address: 'tcp://h:1'}`:                     true,
		`template: '{{printf "%9000s" .Text}}', syslog: {address: 'tcp://h:1', max_message: 64KiB}`: false,
		`template: '{{if .Gap}}a{{end}} {{.Text}}', udp: {address: 'udp://h:1', max_message: 1000}`: false,
		`template: '{{printf "%9000s" .Text}}', file: {path: /nowhere/genltestd.test}`:              false,
	} {
		c := Check(parse(t, "sinks:\n- {name: a, envelope: template, "+keys+"}\n"), nil)
		got := append(c.Invalid, c.Failing...)
		found := len(got) == 1 && strings.Contains(got[0].Message, "writes at least 9000 bytes for each event, but max_message is 8192")
		if found != tooLong || !tooLong && len(got) > 0 {
			t.Errorf("%s: %v", keys, got)
		}
	}
}

// A broker is a kind of sink with templates.
type broker struct {
	Subject string `yaml:"subject" default:"{{.Host}}"`
}

func (*broker) New(sink.Env) (sink.Sink, error) { return nil, errors.New("not for this test") }

func (*broker) DefaultBatchEvents() int { return 1000 }

func (b *broker) Templates() []sink.Template {
	return []sink.Template{{Key: "broker.subject", Text: b.Subject, Accept: func(result []byte) error {
		if len(result) > 20 {
			return errors.New("is longer than 20 bytes")
		}
		return nil
	}}}
}

func TestTemplatesOfAKindAreChecked(t *testing.T) {
	kinds := append(sinks.Kinds(), sink.Kind{Name: "broker", New: func() sink.Config { return new(broker) }})
	for subject, want := range map[string]string{
		"{{.Host}}":        "",
		"a.{{.Hots}}":      "x.yaml:3:36: sinks[0].broker.subject: line 1, column 5: unknown field Hots; ",
		"{{.Labels.sit}}":  "x.yaml:3:41: sinks[0].broker.subject: line 1, column 10: unknown label sit; event.labels has site",
		"{{.Captures.x}}":  "unknown capture x",
		"{{.Text}}":        "sinks[0].broker.subject: fails for an event with several lines: is longer than 20 bytes",
		"{{.Attributes.x}": "x.yaml:3:32: sinks[0].broker.subject: line 1, column 1: {{ is not closed",
	} {
		text := "event: {labels: {site: berlin}}\nsinks:\n- {name: a, broker: {subject: '" + subject + "'}}\n"
		cfg, err := config.Parse("x.yaml", []byte(text), kinds)
		if err != nil {
			t.Fatal(err)
		}
		c := Check(cfg, nil)
		var got string
		if faults := append(c.Invalid, c.Failing...); len(faults) > 0 {
			got = faults.Error()
		}
		if want == "" != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", subject, got, want)
		}
	}
}

func TestKindHasItsOwnDefaultOfBatchEvents(t *testing.T) {
	kinds := append(sinks.Kinds(), sink.Kind{Name: "broker", New: func() sink.Config { return new(broker) }})
	cfg, err := config.Parse("x.yaml", []byte(`x-many: &many {batch_events: 17}
sinks:
- {name: default, broker: {}}
- {name: given, batch_events: 256, broker: {}}
- {name: merged, <<: *many, broker: {}}
- {name: other, stdout: {}}
`), kinds)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, s := range cfg.Sinks {
		got[s.Name] = s.BatchEvents
	}
	if diff := cmp.Diff(map[string]int{"default": 1000, "given": 256, "merged": 17, "other": 256}, got); diff != "" {
		t.Errorf("batch_events (-want +got):\n%s", diff)
	}
}
