// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"maps"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/statefile"
)

// removals stores when each removed sink was first missing from the configuration, across
// restarts. While the file cannot be read, the times of earlier processes are unknown, and
// the file is not written: see known.
type removals struct {
	files statefile.Files
	path  string

	since    map[string]time.Time // in the file, or to be
	saved    map[string]time.Time // in the file
	returned map[string]bool      // sinks that were configured before the file was read
	known    bool                 // the file was read: since is complete
}

func newRemovals(files statefile.Files, path string) *removals {
	return &removals{files: files, path: path, since: map[string]time.Time{}, returned: map[string]bool{}}
}

// load reads the file unless it was read before. It sets a damaged file aside and returns
// the damage; then the times start again.
func (r *removals) load() (damaged, err error) {
	if r.known {
		return nil, nil
	}
	saved, damaged, err := readTimes(r.files, r.path, "the time of each removed sink starts again")
	if err != nil {
		return nil, err
	}
	for name, since := range saved {
		if !r.returned[name] {
			r.since[name] = since
		}
	}
	r.saved, r.returned, r.known = saved, nil, true
	return damaged, nil
}

// configured notes that the sink is configured.
func (r *removals) configured(name string) {
	delete(r.since, name)
	if !r.known {
		r.returned[name] = true
	}
}

// missing returns when the sink was first missing, and whether that is now.
func (r *removals) missing(name string, now time.Time) (since time.Time, isNew bool) {
	since, ok := r.since[name]
	if !ok {
		r.since[name] = now
		return now, true
	}
	return since, false
}

// forget deletes the time of a sink that was removed completely.
func (r *removals) forget(name string) { delete(r.since, name) }

// prune deletes the times of sinks without a cursor that have been missing for too long. A
// cursor that cannot be read now may be readable again until then.
func (r *removals) prune(cursors []string, tooLong func(since time.Time) bool) {
	maps.DeleteFunc(r.since, func(name string, since time.Time) bool {
		return !slices.Contains(cursors, name) && tooLong(since)
	})
}

// save writes the file if its content has changed.
func (r *removals) save() error {
	if !r.known || maps.EqualFunc(r.since, r.saved, time.Time.Equal) {
		return nil
	}
	if err := writeTimes(r.files, r.path, r.since); err != nil {
		return err
	}
	r.saved = maps.Clone(r.since)
	return nil
}
