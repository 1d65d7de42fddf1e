// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// A stage is where Run's goroutines are, for a reload to add others.
type stage struct {
	delivering, serving *group
	stopServer          context.CancelFunc // nil before the first
}

// serve has another endpoint answer, or none when it is nil, and the one before end.
func (s *stage) serve(e *endpoint) {
	if s.stopServer != nil {
		s.stopServer()
	}
	ctx, stop := context.WithCancel(s.serving.ctx)
	s.stopServer = stop
	if e != nil {
		s.serving.start(func(context.Context) error { return e.run(ctx) })
	}
}

// maxGrace bounds how long a reload waits for the attempts of sinks that it changes.
const maxGrace = 30 * time.Second

// A departure is the end of what a worker was doing.
type departure struct {
	*worker
	over <-chan struct{}
}

// carryOut goes over to the new configuration. Nothing of it can fail.
func (d *Daemon) carryOut(ctx context.Context, p *plan, s *stage) *api.Reload {
	for _, t := range p.changed {
		if t.to.Overflow == config.OverflowBlock {
			t.reader.SetPin(true) // before a smaller limit of the journal takes what it holds
		}
	}
	d.configure(p.cfg)
	grace := min(time.Duration(p.cfg.Shutdown.Drain), maxGrace)
	var removed, changed []departure
	for _, w := range p.removed {
		removed = append(removed, departure{w, w.Stop(grace)})
	}
	for _, t := range p.changed {
		changed = append(changed, departure{t.worker, t.turn(grace)})
	}
	d.mu.Lock()
	given := d.pending
	d.cfg, d.workers, d.pending = p.cfg, p.workers, p.pending
	if p.listens {
		d.web = p.web
	}
	d.mu.Unlock()
	d.origins.Configure(originConfig(&p.cfg.Event))
	d.giveUp(given, p.pending)
	if p.listens {
		s.serve(p.web)
	}
	limit, cancel := context.WithTimeout(ctx, grace+abandonGrace)
	defer cancel()
	d.dismiss(limit, removed, s)
	for _, c := range changed {
		if !within(limit, c.over) {
			d.log.Warn("the sink changes when the attempt that is under way has ended", "sink", c.Name)
		}
	}
	// Now that what they may want is free: a file, the name of a socket.
	for _, w := range p.added {
		s.delivering.start(w.run)
	}
	d.forget()
	return d.outcome(p)
}

// within waits for a channel to be closed until the context ends. One that is closed
// already is in time.
func within(ctx context.Context, over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-ctx.Done():
	}
	select {
	case <-over:
		return true
	default:
		return false
	}
}

// configure applies what concerns no sink.
func (d *Daemon) configure(cfg *config.Config) {
	if d.opts.Level != nil {
		d.opts.Level.Set(slog.Level(cfg.Log.Level))
	}
	d.journal.Configure(journalOptions(&cfg.Journal))
	if before := d.config(); before.Receiver != cfg.Receiver {
		if err := d.receiver.SetBuffer(int(cfg.Receiver.Buffer)); err != nil {
			d.log.Error("the receive buffer keeps its size until the next start", "error", err)
		}
	}
	d.echo.Configure(echoConfig(cfg.Echo))
}

// turn has the worker go on as its sink is configured now.
func (t *turn) turn(grace time.Duration) (over <-chan struct{}) {
	t.reader.SetPin(t.to.Overflow == config.OverflowBlock)
	t.letters.SetLimits(int64(t.to.DeadLetters.MaxBytes), time.Duration(t.to.DeadLetters.MaxAge))
	t.cfg, t.worker.route = t.to, t.route
	return t.Change(t.route, grace)
}

// dismiss waits for workers that were told to stop, and frees what is theirs. One that
// does not return in time is waited for beside everything else.
func (d *Daemon) dismiss(limit context.Context, removed []departure, s *stage) {
	for _, r := range removed {
		if within(limit, r.over) {
			d.free(r.worker)
			continue
		}
		d.log.Warn("the sink is removed when the attempt that is under way has ended", "sink", r.Name)
		left := make(chan struct{})
		d.leaving[r.Name] = left
		s.delivering.start(func(context.Context) error {
			defer close(left)
			<-r.over
			d.free(r.worker)
			return nil
		})
	}
}

// free is for a worker that has ended and has no sink any more.
func (d *Daemon) free(w *worker) {
	if err := w.letters.Close(); err != nil {
		d.log.Error("closing the dead letters", "sink", w.Name, "error", err)
	}
	d.metrics.SinkLatency.DeleteLabelValues(w.Name)
}

// outcome says what a reload has done.
func (d *Daemon) outcome(p *plan) *api.Reload {
	r := &api.Reload{Unchanged: len(p.workers) - len(p.added) - len(p.changed)}
	for _, w := range p.added {
		r.Added = append(r.Added, w.Name)
	}
	for _, t := range p.changed {
		r.Changed = append(r.Changed, t.Name)
	}
	for _, w := range p.removed {
		r.Removed = append(r.Removed, w.Name)
	}
	for _, s := range p.pending {
		r.Warnings = append(r.Warnings, fmt.Sprintf("sink %s: cannot be opened yet: %v", s.cfg.Name, s.fault))
	}
	for _, w := range Warnings(p.cfg) {
		r.Warnings = append(r.Warnings, w.Error())
	}
	if p.cfg.Journal.Path != d.journalPath {
		r.Warnings = append(r.Warnings, p.cfg.Fault("journal.path", "needs a restart: until then the journal stays where it is").Error())
	}
	return r
}
