// SPDX-License-Identifier: Apache-2.0

// Package pipeline owns everything that belongs to one sink: its cursor in the journal, its
// rules, its worker and its dead letters. A Set is the pipelines of all configured sinks. It
// opens them, replaces them when the configuration changes, and removes what a sink that is
// no longer configured left behind.
package pipeline

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
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

// A Setup is the configuration of a sink and the route that was made from it.
type Setup struct {
	Sink  config.Sink
	Route delivery.Route
}

// A Pipeline is everything that belongs to one sink.
type Pipeline struct {
	*delivery.Worker
	letters *deadletter.Box
	reader  *journal.Reader
	discard func() error // closes a pipeline that does not run, and removes what it created
	setup   Setup        // as it was last requested
}

// Letters returns the dead letters of the sink.
func (p *Pipeline) Letters() *deadletter.Box { return p.letters }

// Passed reports whether the cursor of the sink has passed a record. If not, ahead is the number of
// records between the cursor and the record.
func (p *Pipeline) Passed(r journal.Record) (passed bool, ahead uint64) { return p.reader.Passed(r) }

// Setup returns the configuration and the route that were last requested. It must not be
// called while a Plan is applied.
func (p *Pipeline) Setup() Setup { return p.setup }

// State returns the counters of the worker and of the dead letters.
func (p *Pipeline) State() metrics.SinkState {
	s, letters := p.Worker.State(), p.letters.Stats()
	s.DeadLetters, s.DeadLetterBytes, s.DeadLettersExpired = letters.Live, letters.Bytes, letters.Expired+letters.Damaged
	if err := p.letters.Fault(); err != nil {
		s.AddFault(metrics.SinkFault{Reason: metrics.FaultDeadLetters, Err: err})
	}
	return s
}

// close closes a pipeline that does not run.
func (p *Pipeline) close() error { return errors.Join(p.Close(), p.letters.Close()) }

// create returns the pipeline of a sink. After an error, nothing that it created is left.
// held is the reader of the sink if it is already open; it stays open then.
func (s *Set) create(c *compiled, held *journal.Reader) (_ *Pipeline, err error) {
	p := &Pipeline{setup: Setup{Sink: *c.cfg}}
	var undo teardown.Stack
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.Run())
		}
	}()
	if p.setup.Route, err = s.route(c, nil); err != nil {
		return nil, err
	}
	undo.Push(func() error { return sink.CloseAll(p.setup.Route.Sinks) })
	s.openLetters(p, &undo)
	if err := s.openReader(p, held, &undo); err != nil {
		return nil, err
	}
	name := c.cfg.Name
	undo.Push(func() error { s.forgetLatency(name); return nil })
	p.Worker = delivery.NewWorker(delivery.Config{
		Name: name, Route: p.setup.Route, Reader: p.reader, Letters: p.letters, Decode: s.Decode,
		State: metrics.NewSinkState(name, match.Reasons()), Latency: s.Latency.WithLabelValues(name),
		EndToEnd: s.EndToEnd.WithLabelValues(name),
		OnCanary: func(text string, latency time.Duration) { s.Canaries.Reached(name, text, latency) },
		Log:      s.deliveryLog(), Clock: s.Clock,
	})
	p.discard = undo.Run
	return p, nil
}

func (s *Set) deliveryLog() *slog.Logger { return s.Log.With("component", "delivery") }

// openLetters opens the dead letters of the sink. A fault is one of the sink, not an error.
func (s *Set) openLetters(p *Pipeline, undo *teardown.Stack) {
	c := &p.setup.Sink
	dir := s.LettersDir(c.Name)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		undo.Push(func() error { return os.RemoveAll(dir) })
	}
	p.letters = deadletter.Open(dir, deadletter.Options{
		MaxBytes: int64(c.DeadLetters.MaxBytes), MaxAge: time.Duration(c.DeadLetters.MaxAge),
		OnReplay: func() { s.replay(c.Name) }, Log: s.deliveryLog().With("sink", c.Name),
		OnDamage: func(err error) { s.State.Damaged(metrics.FileDeadLetters, err) },
		Now:      s.Clock.Now, Steady: s.Clock.Steady,
	})
	undo.Push(p.letters.Close)
}

// openReader opens the cursor of the sink, or uses the reader that is held.
func (s *Set) openReader(p *Pipeline, held *journal.Reader, undo *teardown.Stack) (err error) {
	c := &p.setup.Sink
	if held != nil {
		p.reader = held
		held.SetPin(c.Overflow == config.OverflowBlock)
		return nil
	}
	if !slices.Contains(s.Journal.Cursors(), c.Name) {
		undo.Push(func() error { return s.Journal.RemoveCursor(c.Name) })
	}
	if p.reader, err = s.newReader(c); err != nil {
		return err
	}
	undo.Push(p.reader.Close)
	return nil
}

var starts = map[string]journal.Start{config.StartOldest: journal.FromOldest, config.StartNow: journal.FromEnd}

func (s *Set) newReader(c *config.Sink) (*journal.Reader, error) {
	return s.Journal.NewReader(c.Name, journal.ReaderOptions{Start: starts[c.Start], Pin: c.Overflow == config.OverflowBlock})
}

// replay makes the worker of a sink look for dead letters to deliver again.
func (s *Set) replay(sink string) {
	if p := s.Of(sink); p != nil {
		p.Replay()
	}
}
