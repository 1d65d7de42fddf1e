// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/metrics"
)

const (
	// removedCheck is the interval between checks for expired removed sinks.
	removedCheck = time.Hour
	// removedRetry is the interval after a check that failed.
	removedRetry = time.Minute
)

// RemovedFile is the name of Options.RemovedFile in the state directory.
const RemovedFile = "removed-sinks.json"

// ForgetRemoved removes the cursors and the dead letters of expired removed sinks, and
// returns the wait before the next check.
func (s *Set) ForgetRemoved() (next time.Duration) {
	err := s.forgetExpired()
	unread := s.loadPauses()
	s.State.Set(metrics.FileRemovedSinks, err)
	if err != nil || unread != nil {
		return removedRetry
	}
	return removedCheck
}

// forgetExpired removes what is left of sinks that have not been configured for
// journal.keep_removed_sinks: their cursors keep events that no sink will read. A sink that
// is configured again before continues at its cursor. Nothing is removed while the file of
// removed sinks cannot be read.
func (s *Set) forgetExpired() error {
	s.mu.Lock()
	cfg := s.cfg
	s.mu.Unlock()
	damaged, err := s.removals.load()
	if damaged != nil {
		s.State.Damaged(metrics.FileRemovedSinks, damaged)
	}
	errs := []error{err}
	keep := time.Duration(cfg.Journal.KeepRemovedSinks)
	for _, name := range s.Journal.Cursors() {
		if slices.ContainsFunc(cfg.Sinks, func(c config.Sink) bool { return c.Name == name }) {
			s.removals.configured(name)
		} else {
			errs = append(errs, s.forgetIfExpired(name, keep))
		}
	}
	s.removals.prune(s.Journal.Cursors(), func(since time.Time) bool { return s.Clock.Age(since) > keep })
	return errors.Join(append(errs, s.removals.save())...)
}

// forgetIfExpired removes what is left of a sink that has been removed for longer than keep.
func (s *Set) forgetIfExpired(name string, keep time.Duration) error {
	since, isNew := s.removals.missing(name, s.Clock.Now())
	left := keep - s.Clock.Age(since)
	switch {
	case left > 0 && isNew && s.removals.known:
		s.Log.Warn("a sink is no longer configured; its cursor is kept for a while", "sink", name, "for", left)
	case left > 0 || !s.removals.known:
	default:
		s.Log.Warn("removing the cursor and the dead letters of a sink that is no longer configured", "sink", name)
		return s.removeSink(name)
	}
	return nil
}

// removeSink removes what is left of a sink. It removes the cursor last: as long as the
// cursor exists, the removal is tried again.
func (s *Set) removeSink(name string) error {
	err := errors.Join(os.RemoveAll(s.LettersDir(name)), os.RemoveAll(s.PositionFile(name)), s.forgetPause(name))
	if err != nil {
		return err
	}
	if err := s.Journal.RemoveCursor(name); err != nil {
		return err
	}
	s.removals.forget(name)
	return nil
}
