// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/metrics"
)

// PausedFile is the name of Options.PausedFile in the state directory.
const PausedFile = "paused-sinks.json"

// pauses stores since when each paused sink is paused, across restarts. While the file cannot be
// read, no sink is known to be paused, and the file is not written.
type pauses struct {
	files statefile.Files
	path  string

	mu    sync.Mutex // also held while a worker is paused or resumed
	since map[string]time.Time
	known bool // the file was read
}

// load reads the file. It sets a damaged file aside and returns the damage. The caller must hold mu.
func (p *pauses) load() (damaged, err error) {
	since, damaged, err := readTimes(p.files, p.path, "no sink is paused")
	if err != nil {
		return nil, err
	}
	p.since, p.known = map[string]time.Time{}, true
	maps.Copy(p.since, since)
	return damaged, nil
}

// set writes and then stores since when a sink is paused; the zero time ends a pause. The caller
// must hold mu.
func (p *pauses) set(sink string, since time.Time) error {
	after := maps.Clone(p.since)
	if since.IsZero() {
		delete(after, sink)
	} else {
		after[sink] = since
	}
	if err := writeTimes(p.files, p.path, after); err != nil {
		return err
	}
	p.since = after
	return nil
}

// loadPauses reads the file of paused sinks, and pauses them if it was not read before.
func (s *Set) loadPauses() error {
	s.pauses.mu.Lock()
	defer s.pauses.mu.Unlock()
	return s.loadPausesLocked()
}

// loadPausesLocked is loadPauses for a caller that holds the lock of the pauses.
func (s *Set) loadPausesLocked() error {
	if s.pauses.known {
		return nil
	}
	damaged, err := s.pauses.load()
	s.State.Set(metrics.FilePausedSinks, err)
	if damaged != nil {
		s.State.Damaged(metrics.FilePausedSinks, damaged)
	}
	for _, p := range s.All() {
		s.applyPause(p)
	}
	return err
}

// applyPause pauses a worker whose sink is paused. The caller must hold the lock of the pauses.
func (s *Set) applyPause(p *Pipeline) {
	if since, paused := s.pauses.since[p.Name]; paused && !p.Paused().Equal(since) {
		p.Pause(since)
		s.Log.Warn("a sink is paused: its events wait in the journal; continue with: genltestctl sink resume",
			"sink", p.Name, "since", since)
	}
}

// Pause makes a configured sink start no attempt until Resume, also after a restart. A sink that is
// already paused stays so since then. It returns since when. It may be called at any time.
func (s *Set) Pause(sink string) (since time.Time, err error) {
	now := s.Clock.Now().UTC().Truncate(time.Millisecond)
	return s.setPause(sink, func(before time.Time) time.Time {
		if before.IsZero() {
			return now
		}
		return before
	})
}

// Resume ends the pause of a sink, whose next attempt starts at once. It returns since when the sink
// was paused, or zero. It may be called at any time.
func (s *Set) Resume(sink string) (was time.Time, err error) {
	_, err = s.setPause(sink, func(before time.Time) time.Time { was = before; return time.Time{} })
	return was, err
}

// setPause stores the beginning of a pause, which decide returns for the present one.
func (s *Set) setPause(sink string, decide func(before time.Time) time.Time) (since time.Time, err error) {
	s.pauses.mu.Lock()
	defer s.pauses.mu.Unlock()
	if err := s.loadPausesLocked(); err != nil {
		return since, fmt.Errorf("the file of paused sinks cannot be read: %w", err)
	}
	before := s.pauses.since[sink]
	if since = decide(before); since.Equal(before) {
		return since, nil
	}
	if err := s.pauses.set(sink, since); err != nil {
		return before, fmt.Errorf("nothing was changed: the file of paused sinks cannot be written: %w", err)
	}
	switch p := s.Of(sink); {
	case p == nil: // it is paused when it is opened
	case since.IsZero():
		p.Resume()
	default:
		p.Pause(since)
	}
	return since, nil
}

// forgetPause forgets the pause of a sink that is not configured any more.
func (s *Set) forgetPause(sink string) error {
	s.pauses.mu.Lock()
	defer s.pauses.mu.Unlock()
	if err := s.loadPausesLocked(); err != nil || s.pauses.since[sink].IsZero() {
		return err
	}
	return s.pauses.set(sink, time.Time{})
}
