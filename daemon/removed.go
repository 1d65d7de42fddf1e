// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/genltestd/genltestd/config"
)

// removedCheck is how often sinks are looked for whose time is over.
const removedCheck = time.Hour

// removedFile is below the state directory: when each sink was first missed.
const removedFile = "removed-sinks.json"

func (d *Daemon) forget() {
	if err := d.forgetRemovedSinks(time.Now()); err != nil {
		d.log.Error("forgetting sinks that are no longer configured", "error", err)
	}
}

// forgetRemovedSinks removes the places in the journal, and the dead letters, of sinks
// that have not been configured for journal.keep_removed_sinks: a place holds back
// events that nobody is to get. Until then a sink that comes back goes on where it was.
func (d *Daemon) forgetRemovedSinks(now time.Time) error {
	cfg, path := d.config(), filepath.Join(d.opts.Dirs.State, removedFile)
	before, err := readTimes(path)
	if err != nil {
		d.log.Warn("the time since when sinks are missing is not known; it begins now", "error", err)
	}
	missed := map[string]time.Time{}
	for _, name := range d.journal.Cursors() {
		if slices.ContainsFunc(cfg.Sinks, func(s config.Sink) bool { return s.Name == name }) {
			continue
		}
		since, known := before[name]
		if !known || since.After(now) {
			since = now
		}
		if left := time.Duration(cfg.Journal.KeepRemovedSinks) - now.Sub(since); left > 0 {
			missed[name] = since
			if !known {
				d.log.Warn("a sink is no longer configured; its place is kept for a while", "sink", name, "for", left)
			}
			continue
		}
		d.log.Warn("forgetting a sink that is no longer configured, its place and its dead letters", "sink", name)
		err := errors.Join(d.journal.RemoveCursor(name), os.RemoveAll(d.lettersDir(name)), os.RemoveAll(d.opts.position(name)))
		if err != nil {
			return err
		}
	}
	return writeTimes(path, missed, before)
}

// readTimes returns no times for a file that is not there.
func readTimes(path string) (map[string]time.Time, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var times map[string]time.Time
	if err == nil {
		err = json.Unmarshal(text, &times)
	}
	return times, err
}

// writeTimes replaces the file, if there is something new to say. A crash leaves the
// old one or the new one.
func writeTimes(path string, times, before map[string]time.Time) error {
	if len(times) == 0 && len(before) == 0 {
		return nil
	}
	text, err := json.Marshal(times)
	if err != nil {
		return err
	}
	next := path + ".tmp"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
