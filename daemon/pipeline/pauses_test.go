// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// stateOf returns the state of a configured sink.
func stateOf(t *testing.T, s *Set, sink string) metrics.SinkState {
	t.Helper()
	for _, state := range s.States() {
		if state.Name == sink {
			return state
		}
	}
	t.Fatalf("no sink %s", sink)
	return metrics.SinkState{}
}

func isPaused(t *testing.T, s *Set, sink string) bool {
	t.Helper()
	state := stateOf(t, s, sink)
	return len(state.Faults) == 1 && state.Faults[0].Reason == metrics.FaultPaused
}

// again ends a Set and opens it as the next process would, on the same journal.
func (r *fixture) again(t *testing.T, s *Set, cfg *config.Config) *Set {
	t.Helper()
	for _, p := range s.All() {
		<-p.Stop(0)
	}
	s.Drain(0)
	s.Close()
	r.ended[s] = true
	return r.start(t, cfg)
}

func TestPauseSurvivesARestart(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a", "b"))
	since, err := s.Pause("a")
	if err != nil || since.IsZero() {
		t.Fatal(since, err)
	}
	if second, err := s.Pause("a"); err != nil || !second.Equal(since) {
		t.Errorf("paused since %v, then since %v: %v", since, second, err)
	}
	s = r.again(t, s, configured("a", "b"))
	if err := r.journal.Append(nil, time.Now(), [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the other sink has the event", func() bool { return stateOf(t, s, "b").Delivered == 1 })
	if got := stateOf(t, s, "a"); got.Delivered != 0 || !isPaused(t, s, "a") || !got.Faults[0].Since.Equal(since) {
		t.Errorf("after the restart: %+v", got)
	}
	if was, err := s.Resume("a"); err != nil || !was.Equal(since) {
		t.Errorf("resumed: %v, %v", was, err)
	}
	poll.Until(t, "delivery after the pause", func() bool { return stateOf(t, s, "a").Delivered == 1 })
	s = r.again(t, s, configured("a", "b"))
	if isPaused(t, s, "a") {
		t.Error("the sink is paused again after a restart")
	}
}

func TestReloadKeepsAPause(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a", "b"))
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	changed := configured("a", "b")
	changed.Sinks[0].BatchEvents++
	apply(t, s, changed)
	if !isPaused(t, s, "a") {
		t.Error("a change of the sink has ended its pause")
	}
	apply(t, s, configured("b"))
	apply(t, s, configured("a", "b"))
	if !isPaused(t, s, "a") {
		t.Error("the sink continues at its cursor, but not paused")
	}
}

// A sink that cannot be opened is paused when it can be.
func TestPauseOfASinkThatIsNotOpen(t *testing.T) {
	r := newFixture(t)
	r.fault = func(*config.Sink) error { return errors.New("broken") }
	s := r.start(t, configured("a"))
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	r.fault = nil
	s.Retry()
	if !isPaused(t, s, "a") {
		t.Error("the sink was opened, but is not paused")
	}
}

func TestFaultsOfTheFileOfPausedSinks(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a"))
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, PausedFile)

	files := &faultyDisk{fail: always("replace")}
	s.pauses.files = files
	if _, err := s.Resume("a"); !errors.Is(err, unix.EIO) || !isPaused(t, s, "a") {
		t.Errorf("resume without a file: %v, paused %t", err, isPaused(t, s, "a"))
	}

	s = r.again(t, s, configured())
	s.pauses = &pauses{files: &faultyDisk{fail: always("read")}, path: path}
	if _, err := s.Pause("a"); !errors.Is(err, unix.EIO) || r.state.faults[metrics.FilePausedSinks] == nil {
		t.Errorf("pause while the file cannot be read: %v", err)
	}
	apply(t, s, configured("a"))
	if isPaused(t, s, "a") {
		t.Error("paused, although the file cannot be read")
	}
	s.pauses.files = &faultyDisk{fail: always("")}
	if next := s.ForgetRemoved(); next != removedCheck || r.state.faults[metrics.FilePausedSinks] != nil || !isPaused(t, s, "a") {
		t.Errorf("the file is readable again: next check in %v, faults %v, paused %t", next, r.state.faults, isPaused(t, s, "a"))
	}

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = r.again(t, s, configured("a"))
	if len(r.state.damaged) != 1 || isPaused(t, s, "a") {
		t.Errorf("damaged files: %q, paused %t", r.state.damaged, isPaused(t, s, "a"))
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
}

// What is removed with a sink does not pause another one of the same name.
func TestRemovalForgetsAPause(t *testing.T) {
	r := newFixture(t)
	cfg := configured("b")
	cfg.Journal.KeepRemovedSinks = 0
	s := r.start(t, configured("a", "b"))
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	apply(t, s, cfg)
	poll.Until(t, "the removal of the cursor", func() bool { s.ForgetRemoved(); return len(r.journal.Cursors()) == 1 })
	apply(t, s, configured("a", "b"))
	if isPaused(t, s, "a") {
		t.Error("the new sink is paused")
	}
}

// A stop does not wait for events that wait for an operator.
func TestDrainDoesNotWaitForAPausedSink(t *testing.T) {
	r := newFixture(t)
	s := r.open(t, configured("a"))
	s.Start(t.Context())
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	if err := r.journal.Append(nil, time.Now(), [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	r.journal.Seal()
	s.Drain(time.Hour) // the timeout of the test is shorter
	s.Close()
}

func TestSkipWaitsUntilTheEventsAreDropped(t *testing.T) {
	r := newFixture(t)
	s := r.start(t, configured("a"))
	if _, err := s.Pause("a"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := r.journal.Append(nil, time.Now(), [][]byte{[]byte("x"), []byte("y")}); err != nil {
			t.Fatal(err)
		}
	}
	p, at := s.Of("a"), r.journal.End()
	at.Next, at.Index = at.Next-2, at.Index-2
	if n := p.Before(at); n != 4 {
		t.Errorf("%d events before the position", n)
	}
	if n, done := p.SkipTo(t.Context(), at); n != 4 || !done {
		t.Errorf("skipped %d, done %t, left %d", n, done, p.Before(at))
	}
	if n, done := p.SkipTo(t.Context(), at); n != 0 || !done {
		t.Errorf("again: skipped %d, done %t", n, done)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	<-p.Stop(0)
	if n, done := p.SkipTo(ended, r.journal.End()); n != 0 || done {
		t.Errorf("of a worker that has ended: skipped %d, done %t", n, done)
	}
}
