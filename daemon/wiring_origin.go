// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/metrics"
)

// thisMachine reads what it can.
func thisMachine(log *slog.Logger) *origin.Machine {
	m, err := origin.ThisMachine()
	if err != nil {
		log.Warn("machine or boot are not known: events may lack a part of their origin", "error", err)
	}
	return &m
}

// openBoots stores the current boot, whether its id is asked for or not: it may be
// later, for events that are received now. A failure here must not prevent start-up. It
// must be called before the receiver runs.
func (d *Daemon) openBoots() {
	o := origin.Options{
		Files: d.opts.Files, Path: filepath.Join(d.opts.Dirs.State, origin.FileName), JournalID: d.journal.ID(),
		OnDamage: func(err error) { d.state.damaged(metrics.FileBoots, err) },
	}
	host := cmp.Or(d.hostName(), unknownHost)
	s := d.journal.Stats()
	boots, err := origin.Open(o, s.First, s.Last+1, d.opts.Machine.Boot, host)
	d.state.set(metrics.FileBoots, err)
	d.boots = boots
	d.useOrigins()
}

// useOrigins has events that are read from now on show what the configuration asks for.
func (d *Daemon) useOrigins() {
	d.originsMu.Lock()
	defer d.originsMu.Unlock()
	d.origins.Store(originTable(&d.config().Event, d.boots, d.opts.Machine))
}

func originTable(c *config.Event, boots *origin.Boots, m *origin.Machine) *origin.Table {
	return boots.Table(everyOrigin(c, m), c.BootID, c.KernelRelease)
}

func everyOrigin(c *config.Event, m *origin.Machine) event.Origin {
	var o event.Origin
	if c.MachineID {
		o.MachineID = m.ID
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		o.Labels = append(o.Labels, event.Label{Name: name, Value: c.Labels[name]})
	}
	return o
}
