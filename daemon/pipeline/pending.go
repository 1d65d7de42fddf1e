// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/sorting"
	"github.com/genltestd/genltestd/metrics"
)

const (
	pendingMin = time.Second // first wait before pending sinks are opened again
	pendingMax = 30 * time.Second
)

// A pending sink could not be opened for a reason that may pass: its files in the state
// directory cannot be read, for example. It keeps its cursor in the journal, and is opened
// again later. Until then it is reported as failing. It is immutable.
type pending struct {
	compiled
	reader *journal.Reader // keeps the cursor; nil if the cursor cannot be opened
	fault  error
}

// open returns the pipeline of a sink, or the pending sink if the reason for the failure may
// pass. The error is that of a wrong configuration.
func (s *Set) open(c *compiled) (*Pipeline, *pending, error) {
	p, err := s.create(c, nil)
	var option *sink.OptionError
	if err == nil || errors.As(err, &option) {
		return p, nil, err
	}
	failed := &pending{compiled: *c, fault: err}
	failed.reader, _ = s.newReader(c.cfg) // its error is already the fault, or will be
	s.Log.Error("the sink cannot be opened; trying again", "sink", c.cfg.Name, "error", err)
	return nil, failed, nil
}

// state returns the counters of a sink that is not open. The counters of earlier deliveries
// are in the files that cannot be read.
func (p *pending) state() metrics.SinkState {
	s := metrics.NewSinkState(p.cfg.Name, match.Reasons())
	s.AddFault(metrics.SinkFault{Reason: metrics.FaultOpen, Err: p.fault})
	if p.reader != nil {
		s.Waiting, s.LagBytes = p.reader.Backlog(), p.reader.Lag()
		s.Events = s.Waiting
	}
	return s
}

// close closes the cursor of the sink.
func (p *pending) close() error {
	if p.reader == nil {
		return nil
	}
	return p.reader.Close()
}

// RetryDelay returns the wait before the next Retry after that number of tries. ok is
// false if all sinks are open.
func (s *Set) RetryDelay(tries int) (delay time.Duration, ok bool) {
	return min(pendingMin<<min(tries, 10), pendingMax), len(s.waiting()) > 0
}

// Retry opens and starts the pending sinks that can be opened now.
func (s *Set) Retry() {
	for _, waiting := range s.waiting() {
		p, err := s.create(&waiting.compiled, waiting.reader)
		if err != nil {
			s.stillPending(waiting, err)
			continue
		}
		s.opened(waiting, p)
		s.start(p)
	}
}

// opened replaces a pending sink by its pipeline.
func (s *Set) opened(waiting *pending, p *Pipeline) {
	s.mu.Lock()
	s.pending = slices.DeleteFunc(slices.Clone(s.pending), func(other *pending) bool { return other == waiting })
	s.pipelines = inOrder(s.cfg, append(slices.Clone(s.pipelines), p))
	s.mu.Unlock()
	s.Log.Info("the sink is open", "sink", p.Name)
}

// stillPending stores and logs why the sink is not open yet.
func (s *Set) stillPending(p *pending, err error) {
	s.repeats.Error("the sink still cannot be opened", "sink", p.cfg.Name, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.Clone(s.pending)
	s.pending[slices.Index(s.pending, p)] = &pending{compiled: p.compiled, reader: p.reader, fault: err}
}

// inOrder sorts pipelines in the order of the configuration.
func inOrder(cfg *config.Config, pipelines []*Pipeline) []*Pipeline {
	index := func(p *Pipeline) int {
		return slices.IndexFunc(cfg.Sinks, func(c config.Sink) bool { return c.Name == p.Name })
	}
	sorting.Stable(pipelines, func(a, b *Pipeline) int { return index(a) - index(b) })
	return pipelines
}

// waiting returns the sinks that could not be opened yet.
func (s *Set) waiting() []*pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending
}

// pendingOf returns the pending sink of that name, or nil.
func (s *Set) pendingOf(name string) *pending {
	for _, p := range s.waiting() {
		if p.cfg.Name == name {
			return p
		}
	}
	return nil
}
