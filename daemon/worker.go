// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/teardown"
	"github.com/genltestd/genltestd/metrics"
)

// A worker is all that belongs to one sink.
type worker struct {
	*delivery.Worker
	letters *deadletter.Box
	reader  *journal.Reader
	discard func() error // for one that is not run: leaves nothing behind

	// What it was asked to be last.
	cfg   config.Sink
	route delivery.Route
}

// newWorker makes what delivers the journal to one sink. When it fails, nothing is
// left behind. held is the sink's reader when it is open already; it stays open then.
func (d *Daemon) newWorker(c *config.Sink, held *journal.Reader, compiler *match.Compiler) (_ *worker, err error) {
	w := &worker{cfg: *c}
	var undo teardown.Stack
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.Run())
		}
	}()
	w.route, err = d.newRoute(c, nil, compiler)
	if err != nil {
		return nil, err
	}
	undo.Push(func() error { return sink.CloseAll(w.route.Sinks) })
	dir := d.lettersDir(c.Name)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		undo.Push(func() error { return os.RemoveAll(dir) })
	}
	w.letters = d.openLetters(c, dir)
	undo.Push(w.letters.Close)
	if w.reader = held; held == nil {
		if !slices.Contains(d.journal.Cursors(), c.Name) {
			undo.Push(func() error { return d.journal.RemoveCursor(c.Name) })
		}
		if w.reader, err = d.openReader(c); err != nil {
			return nil, err
		}
		undo.Push(w.reader.Close)
	} else {
		held.SetPin(c.Overflow == config.OverflowBlock)
	}
	undo.Push(func() error { d.metrics.SinkLatency.DeleteLabelValues(c.Name); return nil })
	w.Worker = delivery.NewWorker(delivery.Config{
		Name: c.Name, Route: w.route, Reader: w.reader, Letters: w.letters, Decode: d.decoder.Decode,
		State: metrics.NewSinkState(c.Name, match.Reasons()), Latency: d.metrics.SinkLatency.WithLabelValues(c.Name),
		Log: component(d.log, "delivery"), Clock: d.clock,
	})
	w.discard = undo.Run
	return w, nil
}

// newRoute makes what of a worker may change while it runs. What is in before and would be
// the same is taken from there: connections stay, and so does what rules remember.
func (d *Daemon) newRoute(c *config.Sink, before *worker, compiler *match.Compiler) (delivery.Route, error) {
	route := delivery.Route{Options: deliveryOptions(c)}
	if before != nil && ruleOptions(&before.cfg) == ruleOptions(c) {
		route.Rules = before.route.Rules
	} else {
		rules, err := newRules(c, compiler)
		if err != nil {
			return route, err
		}
		rules.SetSteady(d.clock.Steady)
		route.Rules = rules
	}
	if before != nil && reflect.DeepEqual(place(before.cfg), place(*c)) {
		route.Sinks = before.route.Sinks
		return route, nil
	}
	for range c.Workers {
		s, err := newSink(c, &d.opts)
		if err != nil {
			return route, errors.Join(err, sink.CloseAll(route.Sinks))
		}
		route.Sinks = append(route.Sinks, s)
	}
	return route, nil
}

// openReader opens the sink's place in the journal.
func (d *Daemon) openReader(c *config.Sink) (*journal.Reader, error) {
	return d.journal.NewReader(c.Name, journal.ReaderOptions{Start: starts[c.Start], Pin: c.Overflow == config.OverflowBlock})
}

// openLetters opens the sink's dead letters.
func (d *Daemon) openLetters(c *config.Sink, dir string) *deadletter.Box {
	return deadletter.Open(dir, deadletter.Options{
		MaxBytes: int64(c.DeadLetters.MaxBytes), MaxAge: time.Duration(c.DeadLetters.MaxAge),
		OnReplay: func() { d.replay(c.Name) }, Log: component(d.log, "delivery").With("sink", c.Name),
		OnDamage: func(err error) { d.state.damaged(metrics.FileDeadLetters, err) },
		Now:      d.clock.Now, Steady: d.clock.Steady,
	})
}

func (d *Daemon) lettersDir(sink string) string {
	return d.opts.Dirs.letters(sink)
}

// replay has the worker of a sink look for dead letters to deliver again.
func (d *Daemon) replay(sink string) {
	if w := d.workerOf(sink); w != nil {
		w.Replay()
	}
}

// run delivers, see delivery.Worker.Run.
func (w *worker) run(ctx context.Context) error {
	w.Run(ctx)
	return nil
}

// close frees what a worker holds that is not run.
func (w *worker) close() error { return errors.Join(w.Close(), w.letters.Close()) }

// place takes out of a sink's configuration all that a sink.Sink knows nothing of. What
// is forgotten here costs a connection at a reload, and nothing worse.
func place(c config.Sink) config.Sink {
	c.Start, c.Overflow, c.DeadLetters = "", "", config.DeadLetters{}
	c.Filter, c.Extract, c.Sample, c.Dedup, c.RateLimit = "", "", 0, config.Dedup{}, config.RateLimit{}
	c.BatchEvents, c.BatchBytes, c.BatchWait, c.AttemptTimeout, c.RetryMin, c.RetryMax = 0, 0, 0, 0, 0, 0
	c.MaxLagBytes, c.MaxAge = 0, 0
	return c
}

// State adds to the account of the delivery what others count.
func (w *worker) State() metrics.SinkState {
	s, letters := w.Worker.State(), w.letters.Stats()
	s.DeadLetters, s.DeadLetterBytes, s.DeadLettersExpired = letters.Live, letters.Bytes, letters.Expired+letters.Damaged
	if err := w.letters.Fault(); err != nil {
		s.AddFault(metrics.FaultDeadLetters, err)
	}
	return s
}

var starts = map[string]journal.Start{config.StartOldest: journal.FromOldest, config.StartNow: journal.FromEnd}

func deliveryOptions(c *config.Sink) delivery.Options {
	return delivery.Options{
		BatchEvents:    c.BatchEvents,
		BatchBytes:     int(c.BatchBytes),
		BatchWait:      time.Duration(c.BatchWait),
		AttemptTimeout: time.Duration(c.AttemptTimeout),
		RetryMin:       time.Duration(c.RetryMin),
		RetryMax:       time.Duration(c.RetryMax),
		MaxLagBytes:    int64(c.MaxLagBytes),
		MaxAge:         time.Duration(c.MaxAge),
	}
}
