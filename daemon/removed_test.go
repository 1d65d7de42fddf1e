// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/metrics"
)

func TestThePlaceOfARemovedSinkIsKeptForAWhile(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, name := range []string{"kept", "removed"} {
		r, err := j.NewReader(name, journal.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	letters := filepath.Join(dir, "deadletters", "removed")
	if err := os.MkdirAll(letters, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default(sinks.Kinds())
	cfg.Sinks[0].Name = "kept"
	cfg.Journal.KeepRemovedSinks = value.Duration(24 * time.Hour)
	log := slog.New(slog.DiscardHandler)
	d := &Daemon{
		cfg: cfg, journal: j, opts: Options{Dirs: Dirs{State: dir}}, log: log,
		state:    newStateFaults(log, metrics.New(prometheus.NewRegistry(), "", nil)),
		removals: newRemovals(statefile.Disk{}, filepath.Join(dir, removedFile)),
	}
	now, passed := time.Now(), time.Duration(0)
	d.opts.Files, d.opts.Machine = statefile.Disk{}, machine("a")
	d.opts.Clocks = func() clock.Reading {
		// Whatever the clock shows.
		wall := now.Add(time.Duration(int(passed/time.Hour)%5-2) * 24 * 365 * time.Hour)
		return clock.Reading{Wall: wall, Uptime: passed}
	}
	has := func(at time.Time, want bool) {
		t.Helper()
		d.clock = d.openClock()
		d.removals = newRemovals(statefile.Disk{}, d.removals.path) // a restart
		passed = at.Sub(now)
		if err := d.forgetRemovedSinks(); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(j.Cursors(), "removed"); got != want {
			t.Errorf("%v after the first look the cursor is there: %v", at.Sub(now), got)
		}
		if _, err := os.Stat(letters); (err == nil) != want {
			t.Errorf("%v after the first look, its dead letters: %v", at.Sub(now), err)
		}
		if !slices.Contains(j.Cursors(), "kept") {
			t.Error("a configured sink was forgotten")
		}
	}
	has(now, true)
	has(now.Add(23*time.Hour), true)
	// The sink comes back, and is removed once more: its time begins anew.
	cfg.Sinks[0].Name = "removed"
	if err := d.forgetRemovedSinks(); err != nil {
		t.Fatal(err)
	}
	cfg.Sinks[0].Name = "kept"
	has(now.Add(25*time.Hour), true)
	// A damaged file delays, and forgets nothing.
	if err := os.WriteFile(filepath.Join(dir, removedFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	has(now.Add(40*time.Hour), true)
	has(now.Add(63*time.Hour), true)
	has(now.Add(64*time.Hour), false)
}
