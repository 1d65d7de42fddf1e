// SPDX-License-Identifier: Apache-2.0

package daemon

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

// removedFile is below the state directory: when each sink was first missed.
const removedFile = "removed-sinks.json"

// forget makes a check, and returns when the next is to be made.
func (d *Daemon) forget() (next time.Duration) {
	err := d.forgetRemovedSinks()
	d.state.set(metrics.FileRemovedSinks, err)
	if err != nil {
		return removedRetry
	}
	return removedCheck
}

// forgetRemovedSinks removes the places in the journal, and the dead letters, of sinks
// that have not been configured for journal.keep_removed_sinks: a place holds back
// events that nobody is to get. Until then a sink that comes back goes on where it was.
// Nothing is removed while the time since when a sink is missing cannot be read.
func (d *Daemon) forgetRemovedSinks() error {
	cfg := d.config()
	damaged, err := d.removals.load()
	if damaged != nil {
		d.state.damaged(metrics.FileRemovedSinks, damaged)
	}
	errs := []error{err}
	for _, name := range d.journal.Cursors() {
		if slices.ContainsFunc(cfg.Sinks, func(s config.Sink) bool { return s.Name == name }) {
			d.removals.configured(name)
			continue
		}
		since, isNew := d.removals.missing(name, d.clock.Now())
		left := time.Duration(cfg.Journal.KeepRemovedSinks) - d.clock.Age(since)
		switch {
		case left > 0 && isNew && d.removals.known:
			d.log.Warn("a sink is no longer configured; its place is kept for a while", "sink", name, "for", left)
		case left > 0 || !d.removals.known:
		default:
			d.log.Warn("forgetting a sink that is no longer configured, its place and its dead letters", "sink", name)
			errs = append(errs, d.removeSink(name))
		}
	}
	d.removals.prune(d.journal.Cursors(), func(since time.Time) bool {
		return d.clock.Age(since) > time.Duration(cfg.Journal.KeepRemovedSinks)
	})
	return errors.Join(append(errs, d.removals.save())...)
}

// removeSink removes what is left of a sink. The cursor goes last: as long as it is there,
// the removal is tried again.
func (d *Daemon) removeSink(name string) error {
	err := errors.Join(os.RemoveAll(d.lettersDir(name)), os.RemoveAll(d.opts.Dirs.position(name)))
	if err != nil {
		return err
	}
	if err := d.journal.RemoveCursor(name); err != nil {
		return err
	}
	d.removals.forget(name)
	return nil
}
