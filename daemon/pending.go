// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/metrics"
)

const (
	pendingMin = time.Second // first wait before pending sinks are opened again
	pendingMax = 30 * time.Second
)

// A pending sink is one that could not be opened, for a reason that may pass: its files
// in the state directory cannot be read, for example. It keeps its place in the journal,
// is opened again later, and is failing meanwhile. It is not changed once it is made.
type pending struct {
	cfg    config.Sink
	reader *journal.Reader // holds the place; nil if that is what cannot be opened
	fault  error
}

// openSink returns the worker of a sink, or else the pending sink when the reason for
// the failure may pass. The error is that of a sink that is configured wrongly.
func (d *Daemon) openSink(c *config.Sink, compiler *match.Compiler) (*worker, *pending, error) {
	w, err := d.newWorker(c, nil, compiler)
	var option *sink.OptionError
	if err == nil || errors.As(err, &option) {
		return w, nil, err
	}
	p := &pending{cfg: *c, fault: err}
	p.reader, _ = d.openReader(c) // an error is the fault already, or will be
	d.log.Error("the sink cannot be opened; trying again until it is possible", "sink", c.Name, "error", err)
	return nil, p, nil
}

// giveUp is for what was pending before a reload: a reader that no pending sink and no
// worker has taken over is closed.
func (d *Daemon) giveUp(before, after []*pending) {
	for _, p := range before {
		kept := slices.ContainsFunc(after, func(other *pending) bool { return other.reader == p.reader })
		if w := d.workerOf(p.cfg.Name); kept || w != nil {
			continue
		}
		if err := p.close(); err != nil {
			d.log.Error("closing the place of a sink that was removed", "sink", p.cfg.Name, "error", err)
		}
	}
}

// close gives up the sink's hold on the journal.
func (p *pending) close() error {
	if p.reader == nil {
		return nil
	}
	return p.reader.Close()
}

// retryPending fires when the pending sinks are to be opened again, never while there
// are none.
func (d *Daemon) retryPending(tries int) <-chan time.Time {
	if len(d.waiting()) == 0 {
		return nil
	}
	return time.After(min(pendingMin<<min(tries, 10), pendingMax))
}

// openPending starts each pending sink that can be opened now.
func (d *Daemon) openPending(s *stage) {
	compiler := newCompiler(d.config())
	for _, p := range d.waiting() {
		w, err := d.newWorker(&p.cfg, p.reader, compiler)
		if err != nil {
			d.stillPending(p, err)
			continue
		}
		d.mu.Lock()
		d.pending = slices.DeleteFunc(slices.Clone(d.pending), func(other *pending) bool { return other == p })
		d.workers = inOrder(d.cfg, append(slices.Clone(d.workers), w))
		d.mu.Unlock()
		d.log.Info("the sink is open", "sink", w.Name)
		s.delivering.start(w.run)
	}
}

// stillPending notes and logs why the sink is not open yet.
func (d *Daemon) stillPending(p *pending, err error) {
	d.repeats.Error("the sink still cannot be opened", "sink", p.cfg.Name, "error", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = slices.Clone(d.pending)
	d.pending[slices.Index(d.pending, p)] = &pending{cfg: p.cfg, reader: p.reader, fault: err}
}

// inOrder sorts workers as the configuration has them.
func inOrder(cfg *config.Config, workers []*worker) []*worker {
	place := func(w *worker) int {
		return slices.IndexFunc(cfg.Sinks, func(c config.Sink) bool { return c.Name == w.Name })
	}
	slices.SortFunc(workers, func(a, b *worker) int { return place(a) - place(b) })
	return workers
}

// waiting returns the sinks that could not be opened yet.
func (d *Daemon) waiting() []*pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending
}

// pendingOf returns the pending sink of that name, nil if there is none.
func (d *Daemon) pendingOf(name string) *pending {
	for _, p := range d.waiting() {
		if p.cfg.Name == name {
			return p
		}
	}
	return nil
}

// pendingStates are the accounts of the sinks that could not be opened: what they have
// delivered is in the files that cannot be read.
func (d *Daemon) pendingStates() (states []metrics.SinkState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pending {
		s := metrics.NewSinkState(p.cfg.Name, match.Reasons())
		s.AddFault(metrics.FaultOpen, p.fault)
		states = append(states, s)
	}
	return states
}
