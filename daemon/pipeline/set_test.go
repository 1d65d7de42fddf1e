// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/canary"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// stateFiles records the faults of state files.
type stateFiles struct {
	faults  map[string]error
	damaged []string
}

func (s *stateFiles) Set(file string, err error)     { s.faults[file] = err }
func (s *stateFiles) Damaged(file string, err error) { s.damaged = append(s.damaged, file) }

// A fixture contains the dependencies of a Set.
type fixture struct {
	dir     string
	journal *journal.Journal
	state   stateFiles
	clocks  func() clock.Reading // nil for the clocks of the machine
	sinks   map[string]sink.Sink // by name
	onNew   func(*config.Sink, event.Encoder)
	fault   func(*config.Sink) error // returns why a sink cannot be created now
	ended   map[*Set]bool
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	r := &fixture{dir: t.TempDir(), state: stateFiles{faults: map[string]error{}}, sinks: map[string]sink.Sink{}, ended: map[*Set]bool{}}
	r.onNew = func(*config.Sink, event.Encoder) {}
	var err error
	if r.journal, err = journal.Open(filepath.Join(r.dir, "journal"), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.journal.Close() })
	return r
}

// open opens a Set as a new process would.
func (r *fixture) open(t *testing.T, cfg *config.Config) *Set {
	t.Helper()
	return r.openChecked(t, Check(cfg, nil))
}

func (r *fixture) openChecked(t *testing.T, checked *Checked) *Set {
	t.Helper()
	c, err := clock.Open(clock.Options{
		Files: statefile.Disk{}, Path: filepath.Join(r.dir, "clock"),
		BootID: strings.Repeat("a", 32), Read: r.clocks, OnDamage: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(checked, Options{
		Journal: r.journal, Clock: c, State: &r.state, Log: slog.New(slog.DiscardHandler),
		Decode:       func(rec journal.Record) (event.Event, error) { return event.Event{Seq: rec.Seq, Time: rec.Time}, nil },
		Latency:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "x"}, []string{"sink"}),
		EndToEnd:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "x"}, []string{"sink"}),
		Canaries:     canary.New(nil),
		NewSink:      r.newSink,
		LettersDir:   func(sink string) string { return filepath.Join(r.dir, "deadletters", sink) },
		PositionFile: func(sink string) string { return filepath.Join(r.dir, "sinks", sink) },
		Files:        statefile.Disk{}, RemovedFile: filepath.Join(r.dir, RemovedFile), PausedFile: filepath.Join(r.dir, PausedFile),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts a Set and stops it when the test ends.
func (r *fixture) start(t *testing.T, cfg *config.Config) *Set {
	t.Helper()
	s := r.open(t, cfg)
	s.Start(t.Context())
	t.Cleanup(func() {
		if !r.ended[s] {
			r.journal.Seal()
			s.Drain(0)
			s.Close()
		}
	})
	return s
}

// newSink returns the sink that the test registered; the sink "wrong" has an invalid option.
func (r *fixture) newSink(c *config.Sink, encoder event.Encoder) (sink.Sink, error) {
	r.onNew(c, encoder)
	if r.fault != nil {
		return nil, r.fault(c)
	}
	if c.Name == "wrong" {
		return nil, &sink.OptionError{Key: "stdout", Err: errors.New("it is wrong")}
	}
	if s := r.sinks[c.Name]; s != nil {
		return s, nil
	}
	return &fakeSink{}, nil
}

// A fakeSink accepts all events. If hang is not nil, it waits until hang is closed.
type fakeSink struct {
	hang    chan struct{}
	started chan struct{} // receives a value for each attempt
}

func (f *fakeSink) Deliver(_ context.Context, events []event.Event) (int, error) {
	if f.hang != nil {
		f.started <- struct{}{}
		<-f.hang
	}
	return len(events), nil
}

func (f *fakeSink) Close() error { return nil }

// configured returns a configuration with these sinks.
func configured(names ...string) *config.Config {
	cfg := config.Default(sinks.Kinds())
	template := cfg.Sinks[0]
	cfg.Sinks = nil
	for _, name := range names {
		c := template
		c.Name = name
		cfg.Sinks = append(cfg.Sinks, c)
	}
	return cfg
}

// apply applies a plan for a configuration.
func apply(t *testing.T, s *Set, cfg *config.Config) Outcome {
	t.Helper()
	p, err := s.Plan(Check(cfg, nil))
	if err != nil {
		t.Fatal(err)
	}
	p.Pin()
	p.Switch(0)
	p.Finish(t.Context(), 0)
	return p.Outcome()
}

func namesOf(s *Set) (names []string) {
	for _, p := range s.All() {
		names = append(names, p.Name)
	}
	return names
}

func TestPlanHasNoEffectUntilApplied(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a", "b"))
	p, err := s.Plan(Check(configured("b", "c"), nil))
	if err != nil {
		t.Fatal(err)
	}
	p.Discard()
	if diff := cmp.Diff([]string{"a", "b"}, namesOf(s)); diff != "" {
		t.Errorf("sinks after a discarded plan (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, slices.Sorted(slices.Values(r.journal.Cursors()))); diff != "" {
		t.Errorf("cursors after a discarded plan (-want +got):\n%s", diff)
	}
	want := Outcome{Added: []string{"c"}, Removed: []string{"a"}, Unchanged: 1}
	if diff := cmp.Diff(want, apply(t, s, configured("b", "c"))); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b", "c"}, namesOf(s)); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}

func TestPlanWithInvalidSinkLeavesNoCursor(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a"))
	_, err := s.Plan(Check(configured("a", "new", "wrong"), nil))
	if err == nil || !strings.Contains(err.Error(), "sinks[2].stdout: it is wrong") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"a"}, r.journal.Cursors()); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
}

// The cursor and the dead letters of a sink have one owner at a time.
func TestSinkWithRunningAttemptIsNotAddedAgain(t *testing.T) {
	r := newFixture(t)
	hang := &fakeSink{hang: make(chan struct{}), started: make(chan struct{}, 1)}
	r.sinks["back"] = hang
	s := r.start(t, configured("back", "other"))
	if err := r.journal.Append(nil, time.Now(), [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	<-hang.started
	p, err := s.Plan(Check(configured("other"), nil))
	if err != nil {
		t.Fatal(err)
	}
	p.Switch(0)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Finish(ended, 0)
	const want = "sink back: it was removed, and its running attempt has not ended"
	if _, err := s.Plan(Check(configured("back", "other"), nil)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	left := s.leaving["back"]
	close(hang.hang)
	<-left
	r.sinks["back"] = nil
	if o := apply(t, s, configured("back", "other")); len(o.Added) != 1 {
		t.Errorf("outcome %+v", o)
	}
}
