// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
)

// thisMachine reads what it can.
func thisMachine(log *slog.Logger) *origin.Machine {
	m, err := origin.ThisMachine()
	if err != nil {
		log.Warn("machine or boot are not known: events may lack a part of their origin", "error", err)
	}
	return &m
}

// bootsName is the file of package origin in the state directory.
const bootsName = "boots"

// openBoots notes the current boot, whether its id is asked for or not: it may be
// later, for events that are received now. Nothing of it is worth a daemon that does
// not start. It must be called before the receiver is made.
func openBoots(dir string, j *journal.Journal, m *origin.Machine, log *slog.Logger) *origin.Boots {
	boots, err := origin.Open(filepath.Join(dir, bootsName), j.ID(), j.First(), j.Last()+1, m.Boot)
	if err != nil {
		log.Warn("the boot of events received now will not be known after a restart", "error", err)
	}
	return boots
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
