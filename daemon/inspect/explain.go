// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
)

// A subject is the event that is explained.
type subject struct {
	id      deadletter.ID
	record  journal.Record
	place   journal.Place // empty if only dead letters contain the event
	present bool          // the id is one of the present journal
	event   event.Event
}

// Explain implements control.Events.
func (i *Inspector) Explain(id, filter string) (*api.Explanation, error) {
	s, err := i.subject(id)
	if err != nil {
		return nil, err
	}
	x := &api.Explanation{
		ID: s.id.String(), Seq: s.id.Seq, Received: s.event.Time.UTC(), Family: s.event.Family, Group: s.event.Group,
		Bytes: len(s.record.Data), File: s.place.File, Offset: s.place.Offset, Sinks: []api.SinkOutcome{},
		Synced: s.place.File != "" && s.record.Seq <= i.Journal.Stats().Synced,
	}
	if t := s.event.KernelTime; !t.IsZero() {
		t = t.UTC()
		x.KernelTime = &t
	}
	x.Event, _ = i.Decoder.AppendJSON(nil, s.id.Journal, s.record) // the text contains the error
	if filter != "" {
		x.Filter, err = i.trace(filter, s)
		return x, err
	}
	compiler, cfg := i.compiler(), i.Config()
	for c := range cfg.Sinks {
		o, err := i.outcome(&cfg.Sinks[c], compiler, s)
		if err != nil {
			return nil, err
		}
		x.Sinks = append(x.Sinks, *o)
	}
	return x, nil
}

// subject returns the event with an id. The journal may have removed an event that is still a
// dead letter.
func (i *Inspector) subject(text string) (*subject, error) {
	id, err := i.parseID(text)
	if err != nil {
		return nil, err
	}
	s := &subject{id: id, present: id.Journal == i.Journal.ID()}
	if s.record, s.place, err = i.find(id); err != nil {
		letter := i.letter(id)
		if letter == nil {
			return nil, err
		}
		s.record, s.place = journal.Record{Seq: id.Seq, Time: letter.Received, Data: letter.Data}, journal.Place{}
	}
	s.event, _ = i.Decoder.Peek(s.record) // without a text, the event has the other fields
	s.event.SetJournal(id.Journal)
	return s, nil
}

// letter returns the dead letter of any sink with that id, or nil.
func (i *Inspector) letter(id deadletter.ID) *deadletter.Letter {
	for _, p := range i.Pipelines.All() {
		if l := letterOf(p, id); l != nil {
			return l
		}
	}
	return nil
}

// letterOf returns nil also if the dead letters cannot be read, which is a fault of the sink.
func letterOf(p *pipeline.Pipeline, id deadletter.ID) *deadletter.Letter {
	if letters, err := p.Letters().Get(id); err == nil && len(letters) > 0 {
		return &letters[0]
	}
	return nil
}

func (i *Inspector) trace(filter string, s *subject) (*api.FilterPart, error) {
	e := s.event
	part, err := i.compiler().Trace(filter, "", &e)
	if err != nil {
		return nil, invalid(err)
	}
	return partOf(part), nil
}

func partOf(p *match.Part) *api.FilterPart {
	if p == nil {
		return nil
	}
	shown := &api.FilterPart{Text: p.Text, Error: p.Error, Unused: p.Unused, Parts: []api.FilterPart{}}
	if p.Error == "" {
		shown.Value = json.RawMessage(p.Value)
	}
	for i := range p.Parts {
		shown.Parts = append(shown.Parts, *partOf(&p.Parts[i]))
	}
	return shown
}

// outcome returns what became of an event in one sink.
func (i *Inspector) outcome(c *config.Sink, compiler *match.Compiler, s *subject) (*api.SinkOutcome, error) {
	o := &api.SinkOutcome{
		Sink: c.Name, Kind: c.Kind, Unless: []string{}, Rules: []api.RuleStep{}, Attempts: []api.Attempt{},
	}
	if s.event.Canary {
		o.Outcome, o.Text = api.OutcomeCanary, "a canary measures the latency, and is not for sinks"
		return o, nil
	}
	e := s.event
	steps, err := compiler.Explain(pipeline.RuleOptions(c), &e)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		o.Rules = append(o.Rules, ruleOf(step))
	}
	p := i.Pipelines.Of(c.Name)
	if p == nil {
		o.Outcome, o.Text = api.OutcomeNotOpen, "the sink is not open"
		if err := i.Pipelines.Fault(c.Name); err != nil {
			o.Text += ": " + string(event.AppendVisible(nil, []byte(err.Error())))
		}
		return o, nil
	}
	f := i.facts(p, s, steps)
	for _, a := range f.attempts {
		o.Attempts = append(o.Attempts, api.Attempt{
			Time: a.Time.UTC(), First: a.First, Last: a.Last, Events: a.Events, Accepted: a.Accepted,
			Error: a.Error, Dropped: a.Dropped, Replay: a.Replay,
		})
	}
	if l := f.letter; l != nil {
		o.DeadLetter = &api.Letter{
			ID: l.ID.String(), Received: l.Received.UTC(), Refused: l.Refused.UTC(), Attempts: l.Attempts,
			Reason: l.Reason, Kind: l.Kind, Status: l.Status, Event: json.RawMessage("null"),
		}
	}
	f.decide(o)
	return o, nil
}

func ruleOf(s match.Step) api.RuleStep {
	shown := api.RuleStep{Rule: s.Rule, Result: s.Result, Text: s.Text, Captures: map[string]string{}, Filter: partOf(s.Filter)}
	for _, c := range s.Captures {
		shown.Captures[c.Name] = string(event.AppendVisible(nil, c.Value))
	}
	return shown
}

// facts collects what the sink knows about an event.
func (i *Inspector) facts(p *pipeline.Pipeline, s *subject, steps []match.Step) *facts {
	f := &facts{
		steps: steps, seq: s.id.Seq, letter: letterOf(p, s.id),
		earlier: s.event.Time.Before(i.Started), started: i.Started,
		reloaded: i.Loaded().After(s.event.Time) && i.Loaded().After(i.Started.Add(time.Second)), loaded: i.Loaded(),
	}
	if !s.present {
		f.passed, f.earlier = true, true
		return f
	}
	f.passed, f.ahead = p.Passed(s.record)
	if !f.passed {
		f.progress = p.ProgressOf(s.id.Seq)
		f.passed, f.ahead = p.Passed(s.record) // it may have finished the record in between
	}
	f.attempts = slices.DeleteFunc(p.Attempts(), func(a delivery.Attempt) bool { return !a.Concerns(s.id.Seq) })
	f.state = p.State()
	return f
}
