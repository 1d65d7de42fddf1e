// SPDX-License-Identifier: Apache-2.0

// Package simhost is the daemon without its receiver: the real journal, workers, sinks and dead
// letters of one host, with generated events. Tests of brokers and of fleets use it.
package simhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/metrics"
)

// Options describe a host.
type Options struct {
	Dir    string // state directory
	Name   string // of the host in its events
	Config string // YAML with the key sinks
	Text   int    // bytes of text in each event, at least 16
	Keep   bool   // the journal keeps all events, for IDs; by default it removes delivered ones
	Log    *slog.Logger
}

// A Host is a running host.
type Host struct {
	journal *journal.Journal
	set     *pipeline.Set
	keeper  *journal.Reader // nil unless Options.Keep is set
	text    int
}

// keeper is the name of a cursor that stays before the first event.
const keeper = "keeper"

// Open opens the state directory, which an earlier process may have left in any state. The host
// delivers after Start.
func Open(o Options) (_ *Host, err error) {
	cfg, err := config.Parse("generated", []byte(o.Config), sinks.Kinds())
	if err != nil {
		return nil, err
	}
	h := &Host{text: o.Text}
	if h.journal, err = journal.Open(filepath.Join(o.Dir, "journal"), journal.Options{
		MaxBytes: int64(cfg.Journal.MaxBytes), Fsync: journal.FsyncInterval, SyncInterval: time.Duration(cfg.Journal.SyncInterval), Log: o.Log,
	}); err != nil {
		return nil, err
	}
	if o.Keep {
		if h.keeper, err = h.journal.NewReader(keeper, journal.ReaderOptions{Start: journal.FromOldest}); err != nil {
			return nil, errors.Join(err, h.journal.Close())
		}
	}
	if h.set, err = h.open(cfg, o); err != nil {
		return nil, errors.Join(err, h.journal.Close())
	}
	return h, nil
}

// open opens the pipelines as the daemon does.
func (h *Host) open(cfg *config.Config, o Options) (*pipeline.Set, error) {
	checked := pipeline.Check(cfg, nil)
	if len(checked.Invalid) > 0 {
		return nil, checked.Invalid
	}
	c, err := clock.Open(clock.Options{Files: statefile.Disk{}, Path: filepath.Join(o.Dir, "clock")})
	if err != nil {
		return nil, err
	}
	origin := &event.Origin{Labels: labels(cfg)}
	decoder := &record.Decoder{JournalID: h.journal.ID(), OriginOf: func(uint64) (*event.Origin, string) { return origin, o.Name }}
	mask := &redact.Mask{}
	position := func(name string) string { return filepath.Join(o.Dir, "sinks", name) }
	m := metrics.New(prometheus.NewRegistry(), "simulated")
	return pipeline.Open(checked, pipeline.Options{
		Journal: h.journal, Decode: decoder.Decode, Clock: c, State: stateFiles{o.Log}, Log: o.Log,
		Latency: m.SinkLatency, EndToEnd: m.SinkEndToEnd,
		NewSink: func(s *config.Sink, encoder event.Encoder) (sink.Sink, error) {
			return s.Config.New(sink.Env{
				Version: "simulated", Sink: s.Name, Encoder: encoder, Log: o.Log.With("sink", s.Name), Mask: mask,
				Position: position(s.Name), Now: c.Now, Age: c.Age, Compile: pipeline.CompileTemplate,
			})
		},
		LettersDir:   func(name string) string { return lettersDir(o.Dir, name) },
		PositionFile: position, Files: statefile.Disk{}, RemovedFile: filepath.Join(o.Dir, pipeline.RemovedFile),
		PausedFile: filepath.Join(o.Dir, pipeline.PausedFile),
	})
}

// stateFiles logs faults of state files.
type stateFiles struct{ log *slog.Logger }

// Set implements pipeline.StateFiles.
func (s stateFiles) Set(file string, err error) {
	if err != nil {
		s.log.Error("a state file cannot be used", "file", file, "error", err)
	}
}

// Damaged implements pipeline.StateFiles.
func (s stateFiles) Damaged(file string, err error) {
	s.log.Error("a state file was damaged", "file", file, "error", err)
}

// Start starts to deliver.
func (h *Host) Start(ctx context.Context) { h.set.Start(ctx) }

// Close waits for running deliveries, at most for limit, and closes the host. Events that are left
// are delivered by the next process.
func (h *Host) Close(limit time.Duration) error {
	h.journal.Seal()
	h.set.Drain(limit)
	h.set.Close()
	var err error
	if h.keeper != nil {
		err = h.keeper.Close()
	}
	return errors.Join(err, h.journal.Close())
}

// States returns the counters of the sinks.
func (h *Host) States() []metrics.SinkState { return h.set.States() }

// Undelivered returns the number of events that wait for the slowest sink.
func (h *Host) Undelivered() (most uint64) {
	for _, s := range h.States() {
		most = max(most, s.Waiting+s.InFlight)
	}
	return most
}

// A Total is the sum of the counters of all sinks.
type Total struct {
	Failures     uint64 // attempts that failed
	DeadLettered uint64
	Dropped      uint64
	Error        string // of the last attempt, if it failed
}

// Total returns the sum of the counters of all sinks of this process.
func (h *Host) Total() (t Total) {
	for _, s := range h.States() {
		t.Failures += s.Failures
		t.DeadLettered += s.DeadLettered
		for _, n := range s.Dropped {
			t.Dropped += n
		}
		if err := s.LastError(); err != nil {
			t.Error = err.Error()
		}
	}
	return t
}

// Count returns the number of events that were ever journaled.
func (h *Host) Count() uint64 { return h.journal.Stats().Count }

// IDs returns the ids of all events in the journal of a host that has ended, in order. Its option
// Keep must have been set.
func IDs(dir string) (ids []string, err error) {
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{MaxBytes: 1 << 40})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	err = j.Visit(1, func(r journal.Record) uint64 {
		ids = append(ids, (&event.Event{JournalID: j.ID(), Seq: r.Seq}).ID())
		return r.Seq + 1
	})
	if err == nil && uint64(len(ids)) != j.Stats().Count {
		err = fmt.Errorf("the journal contains %d of %d events", len(ids), j.Stats().Count)
	}
	return ids, err
}

// DeadLetters returns the ids of the dead letters of a sink, in the order of their events, of a host
// that has ended.
func DeadLetters(dir, sink string) (ids []string, err error) {
	box := deadletter.Open(lettersDir(dir, sink), deadletter.Options{})
	for _, id := range box.IDs() {
		ids = append(ids, id.String())
	}
	return ids, errors.Join(box.Fault(), box.Close())
}

func lettersDir(dir, sink string) string { return filepath.Join(dir, "deadletters", sink) }
