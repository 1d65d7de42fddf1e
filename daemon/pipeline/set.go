// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/daemon/teardown"
	"github.com/genltestd/genltestd/metrics"
)

// Options are the dependencies of a Set. Each is required.
type Options struct {
	Journal  *journal.Journal
	Decode   delivery.Decoder
	Clock    *clock.Clock
	Latency  *prometheus.HistogramVec // of delivery.Config, by sink
	EndToEnd *prometheus.HistogramVec
	Canaries Canaries
	State    StateFiles
	Log      *slog.Logger

	// NewSink returns the sink of an entry. The error is a sink.OptionError if the entry is
	// at fault.
	NewSink func(*config.Sink, event.Encoder) (sink.Sink, error)

	LettersDir   func(sink string) string // directory of the dead letters
	PositionFile func(sink string) string // in which a sink of kind file notes what it writes
	Files        statefile.Files
	RemovedFile  string // stores when each sink was removed
	PausedFile   string // stores since when each paused sink is paused
}

// Canaries receives when sinks reach a canary; see delivery.Config.OnCanary.
type Canaries interface {
	Reached(sink, text string, latency time.Duration)
	Forget(sink string) // it is removed
}

// StateFiles receives the results of access to state files. file is one of metrics.File*.
type StateFiles interface {
	// Set reports the result of an attempt to read or write the file.
	Set(file string, err error)
	// Damaged reports that the file was damaged.
	Damaged(file string, err error)
}

// A Set is the pipelines of all configured sinks. Its getters may be called at any time.
// Plan, Retry and ForgetRemoved, and the methods of a Plan, must be called by one goroutine.
type Set struct {
	Options
	repeats  *ratelog.Logger // for lines that may repeat
	removals *removals
	pauses   *pauses
	leaving  map[string]<-chan struct{} // removed sinks whose worker has not returned
	running  sync.WaitGroup
	runCtx   context.Context // of the workers
	abandon  context.CancelFunc

	mu        sync.Mutex
	cfg       *config.Config
	pipelines []*Pipeline // in the order of the configuration
	pending   []*pending  // sinks that could not be opened yet
}

// Open opens the pipelines of all sinks. A sink that cannot be opened for a reason that may
// pass is retried by Retry. The error is that of a wrong configuration; nothing is left open
// then.
func Open(c *Checked, o Options) (*Set, error) {
	s := &Set{
		Options: o, cfg: c.Config, repeats: ratelog.New(o.Log), removals: newRemovals(o.Files, o.RemovedFile),
		pauses:  &pauses{files: o.Files, path: o.PausedFile},
		leaving: map[string]<-chan struct{}{},
	}
	var undo teardown.Stack
	for i := range c.sinks {
		p, failed, err := s.open(&c.sinks[i])
		switch {
		case err != nil:
			return nil, errors.Join(sinkError(c.Config, i, err), undo.Run())
		case failed != nil:
			undo.Push(failed.close)
			s.pending = append(s.pending, failed)
		default:
			undo.Push(p.close)
			s.pipelines = append(s.pipelines, p)
		}
	}
	return s, nil
}

// Start starts all workers. They stop in Drain, not when the context ends.
func (s *Set) Start(ctx context.Context) {
	s.runCtx, s.abandon = context.WithCancel(context.WithoutCancel(ctx))
	_ = s.loadPauses() // it has reported its error, and ForgetRemoved tries again
	for _, p := range s.All() {
		s.start(p)
	}
}

// start starts the worker of a pipeline, which All already returns.
func (s *Set) start(p *Pipeline) {
	s.pauses.mu.Lock()
	s.applyPause(p)
	s.pauses.mu.Unlock()
	s.running.Go(func() { p.Run(s.runCtx) })
}

// All returns the pipelines of the configured sinks, in the order of the configuration.
func (s *Set) All() []*Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pipelines
}

// Of returns the pipeline of a sink, or nil if no open sink has this name.
func (s *Set) Of(sink string) *Pipeline {
	for _, p := range s.All() {
		if p.Name == sink {
			return p
		}
	}
	return nil
}

// Fault returns why a sink is not open, or nil if no sink of this name is waiting.
func (s *Set) Fault(sink string) error {
	if p := s.pendingOf(sink); p != nil {
		return p.fault
	}
	return nil
}

// States returns the counters of all configured sinks.
func (s *Set) States() (states []metrics.SinkState) {
	s.mu.Lock()
	open, waiting := s.pipelines, s.pending
	s.mu.Unlock()
	for _, p := range open {
		states = append(states, p.State())
	}
	for _, p := range waiting {
		states = append(states, p.state())
	}
	return states
}

// ReopenFiles closes the files that sinks write to. Each sink opens the file of that name
// when its next event arrives. It does not block.
func (s *Set) ReopenFiles() {
	for _, p := range s.All() {
		p.Reopen()
	}
}

// abandonGrace is the time in which a sink may return after its context has ended.
const abandonGrace = time.Second

// Drain waits until the journal, which must be sealed, is delivered, at most for limit, and does not
// wait for paused sinks. Then it stops the workers, logs the events that are left, and closes the
// cursors.
func (s *Set) Drain(limit time.Duration) {
	for _, p := range s.All() {
		if !p.Paused().IsZero() {
			p.Stop(limit)
		}
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		s.abandon()
		select {
		case <-done:
		case <-time.After(abandonGrace):
		}
	}
	s.abandon()
	for _, p := range s.All() {
		if st := p.State(); st.Waiting+st.InFlight > 0 {
			s.Log.Warn("stopping with undelivered events; the next start continues with them",
				"sink", st.Name, "events", st.Waiting+st.InFlight, "last_error", st.LastError())
		}
	}
	for _, p := range s.waiting() {
		if err := p.close(); err != nil {
			s.Log.Error("closing the cursor of a sink that could not be opened", "sink", p.cfg.Name, "error", err)
		}
	}
}

// Close closes the dead letters. It must be called after Drain, when nothing reads them.
func (s *Set) Close() {
	for _, p := range s.All() {
		s.closeLetters(p)
	}
}

func (s *Set) closeLetters(p *Pipeline) {
	if err := p.letters.Close(); err != nil {
		s.Log.Error("closing the dead letters", "sink", p.Name, "error", err)
	}
}
