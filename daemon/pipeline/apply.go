// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
)

// A stopping worker ends its running attempts for a change or a removal.
type stopping struct {
	*Pipeline
	done    <-chan struct{}
	removed bool
}

// Pin protects the unread events of sinks with overflow "block". It must be called before
// the limits of the journal change.
func (p *Plan) Pin() {
	for _, c := range p.changed {
		if c.to.Sink.Overflow == config.OverflowBlock {
			c.reader.SetPin(true)
		}
	}
}

// Switch makes the set use the new configuration. Running attempts of sinks that were
// changed or removed are cancelled after grace.
func (p *Plan) Switch(grace time.Duration) {
	for _, r := range p.removed {
		p.stopping = append(p.stopping, stopping{r, r.Stop(grace), true})
	}
	for _, c := range p.changed {
		p.stopping = append(p.stopping, stopping{c.Pipeline, c.apply(grace), false})
	}
	s := p.set
	s.mu.Lock()
	before := s.pending
	s.cfg, s.pipelines, s.pending = p.cfg, p.pipelines, p.pending
	s.mu.Unlock()
	s.closeUnused(before, p.pending)
}

// apply makes the worker use the new setup. done is closed when it does.
func (c *change) apply(grace time.Duration) (done <-chan struct{}) {
	to := &c.to.Sink
	c.reader.SetPin(to.Overflow == config.OverflowBlock)
	c.letters.SetLimits(int64(to.DeadLetters.MaxBytes), time.Duration(to.DeadLetters.MaxAge))
	c.setup = c.to
	return c.Change(c.to.Route, grace)
}

// closeUnused closes the readers of sinks that were pending before, and that neither a
// pending sink nor a pipeline uses now.
func (s *Set) closeUnused(before, after []*pending) {
	for _, p := range before {
		kept := slices.ContainsFunc(after, func(other *pending) bool { return other.reader == p.reader })
		if kept || s.Of(p.cfg.Name) != nil {
			continue
		}
		if err := p.close(); err != nil {
			s.Log.Error("closing the cursor of a sink that was removed", "sink", p.cfg.Name, "error", err)
		}
	}
}

// Finish waits for the workers that stop or change because of Switch, at most for grace,
// releases what removed sinks used, and then starts the new workers: they may need a file
// or a socket that an earlier sink used. A worker that does not end in time is waited for
// in the background.
func (p *Plan) Finish(ctx context.Context, grace time.Duration) {
	limit, cancel := context.WithTimeout(ctx, grace+abandonGrace)
	defer cancel()
	for _, w := range p.stopping {
		switch {
		case w.removed:
			p.set.release(limit, w)
		case !isDone(limit, w.done):
			p.set.Log.Warn("the sink changes when its running attempt has ended", "sink", w.Name)
		}
	}
	for _, a := range p.added {
		p.set.start(a)
	}
}

// isDone waits for a channel to be closed until the context ends. A channel that is
// already closed is done.
func isDone(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// release waits for a removed worker and closes what it used.
func (s *Set) release(limit context.Context, w stopping) {
	if isDone(limit, w.done) {
		s.free(w.Pipeline)
		return
	}
	s.Log.Warn("the sink is removed when its running attempt has ended", "sink", w.Name)
	left := make(chan struct{})
	s.leaving[w.Name] = left
	s.running.Go(func() {
		defer close(left)
		<-w.done
		s.free(w.Pipeline)
	})
}

// free closes what a worker that has ended used.
func (s *Set) free(p *Pipeline) {
	s.closeLetters(p)
	s.forgetLatency(p.Name)
}

// forgetLatency removes the histograms and the latency of canaries of a sink.
func (s *Set) forgetLatency(sink string) {
	s.Canaries.Forget(sink)
	s.Latency.DeleteLabelValues(sink)
	s.EndToEnd.DeleteLabelValues(sink)
}
