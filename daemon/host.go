// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/metrics"
)

// thisMachine returns the machine-id and the boot of this machine, as far as they can be read.
func thisMachine(log *slog.Logger) *origin.Machine {
	m, err := origin.ThisMachine()
	if err != nil {
		log.Warn("cannot read the machine-id or the boot: events may lack a part of their origin", "error", err)
	}
	return &m
}

// openOrigins must be called before the receiver runs.
func (d *Daemon) openOrigins(cfg *config.Event) *origin.Tracker {
	return origin.NewTracker(origin.TrackerOptions{
		Options: origin.Options{
			Files: d.opts.Files, Path: filepath.Join(d.opts.Dirs.State, origin.FileName), JournalID: d.journal.ID(),
			OnDamage: func(err error) { d.state.Damaged(metrics.FileBoots, err) },
		},
		Oldest: d.journal.Stats().First, Next: func() uint64 { return d.journal.Stats().Last + 1 },
		Machine: d.opts.Machine, Hostname: d.opts.Host,
		OnResult: func(err error) { d.state.Set(metrics.FileBoots, err) }, Log: d.log,
	}, originConfig(cfg))
}

func originConfig(c *config.Event) origin.Config {
	return origin.Config{Host: c.Host, MachineID: c.MachineID, BootID: c.BootID, KernelRelease: c.KernelRelease, Labels: c.Labels}
}

// A hostJournal stores a new host before the first event that shows it is journaled.
type hostJournal struct {
	*journal.Journal
	origins func() *origin.Tracker
	mu      *sync.Mutex // held from the choice of the host until the event has its number
}

// Append implements receiver.Journal.
func (j hostJournal) Append(generation *atomic.Uint64, t time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.origins().Apply()
	return j.Journal.Append(generation, t, records)
}
