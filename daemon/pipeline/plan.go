// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/teardown"
)

// A Plan is everything that a new configuration needs. It is made before anything changes,
// so that applying it cannot fail. A Plan is either applied, by Pin, Switch and Finish in
// that order, or discarded.
type Plan struct {
	set       *Set
	cfg       *config.Config
	pipelines []*Pipeline // in the order of the configuration
	added     []*Pipeline // subset of pipelines
	changed   []change
	removed   []*Pipeline
	pending   []*pending // sinks that still cannot be opened
	stopping  []stopping // workers that stop or change because of Switch
	undo      teardown.Stack
}

// A change is the new setup of a pipeline.
type change struct {
	*Pipeline
	to Setup
}

// Plan creates everything that the configuration needs and that does not exist yet. After
// an error, nothing that it created is left.
func (s *Set) Plan(c *Checked) (*Plan, error) {
	p := &Plan{set: s, cfg: c.Config}
	for i := range c.sinks {
		if err := p.add(&c.sinks[i]); err != nil {
			p.Discard()
			return nil, sinkError(c.Config, i, err)
		}
	}
	for _, before := range s.All() {
		if !slices.Contains(p.pipelines, before) {
			p.removed = append(p.removed, before)
		}
	}
	return p, nil
}

// Discard closes and removes everything that the plan created.
func (p *Plan) Discard() {
	if err := p.undo.Run(); err != nil {
		p.set.Log.Error("reload: closing what the failed reload has opened", "error", err)
	}
}

// add plans one sink.
func (p *Plan) add(c *compiled) error {
	before := p.set.Of(c.cfg.Name)
	if before == nil {
		return p.addNew(c)
	}
	p.pipelines = append(p.pipelines, before)
	if reflect.DeepEqual(before.setup.Sink, *c.cfg) {
		return nil
	}
	route, err := p.set.route(c, &before.setup)
	if err != nil {
		return err
	}
	used := before.setup.Route.Sinks
	p.undo.Push(func() error { return sink.CloseAll(sink.Without(route.Sinks, used)) })
	p.changed = append(p.changed, change{before, Setup{*c.cfg, route}})
	return nil
}

// addNew plans a sink without a pipeline.
func (p *Plan) addNew(c *compiled) error {
	if err := p.set.isLeaving(c.cfg.Name); err != nil {
		return err
	}
	created, err := p.create(c)
	if created == nil {
		return err
	}
	p.undo.Push(created.discard)
	if err := created.letters.Fault(); err != nil {
		return err // at start-up it is a fault of the sink; a reload reports it to the operator
	}
	p.added, p.pipelines = append(p.added, created), append(p.pipelines, created)
	return nil
}

// create returns the pipeline of a sink, or nil for a pending sink that still cannot be
// opened.
func (p *Plan) create(c *compiled) (*Pipeline, error) {
	before := p.set.pendingOf(c.cfg.Name)
	if before == nil {
		return p.set.create(c, nil)
	}
	created, err := p.set.create(c, before.reader)
	var option *sink.OptionError
	if err == nil || errors.As(err, &option) {
		return created, err
	}
	p.pending = append(p.pending, &pending{compiled: *c, reader: before.reader, fault: err})
	return nil, nil
}

// isLeaving returns an error while the worker of a removed sink of that name runs.
func (s *Set) isLeaving(sink string) error {
	left, ok := s.leaving[sink]
	if !ok {
		return nil
	}
	select {
	case <-left:
		delete(s.leaving, sink)
		return nil
	default:
		return errors.New("it was removed, and its running attempt has not ended yet; try again later")
	}
}

// An Outcome describes a plan by the names of sinks.
type Outcome struct {
	Added, Changed, Removed []string
	Unchanged               int
	Pending                 []error // one for each sink that cannot be opened yet
}

// Outcome describes the plan.
func (p *Plan) Outcome() Outcome {
	o := Outcome{Unchanged: len(p.pipelines) - len(p.added) - len(p.changed)}
	for _, a := range p.added {
		o.Added = append(o.Added, a.Name)
	}
	for _, c := range p.changed {
		o.Changed = append(o.Changed, c.Name)
	}
	for _, r := range p.removed {
		o.Removed = append(o.Removed, r.Name)
	}
	for _, w := range p.pending {
		o.Pending = append(o.Pending, fmt.Errorf("sink %s: cannot be opened yet: %w", w.cfg.Name, w.fault))
	}
	return o
}
