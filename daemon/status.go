// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// Status returns the state of the daemon. It may be called at any time after New.
func (d *Daemon) Status() *api.Status {
	d.countDrops()
	s := &api.Status{
		Version: d.opts.Version, PID: os.Getpid(), Time: time.Now(), Started: d.started,
		Config: d.configStatus(), Families: d.familyStatus(), Sinks: d.sinkStatus(),
	}
	var journal []api.Fault
	s.Journal, journal = d.journalStatus()
	s.Parts = d.parts(s, journal)
	s.Healthy = true
	for i := range s.Parts {
		s.Healthy = s.Healthy && s.Parts[i].Alive && len(s.Parts[i].Faults) == 0
	}
	return s
}

func (d *Daemon) configStatus() api.Config {
	state := d.reloads.State()
	c := api.Config{Hash: state.Hash, Loaded: state.Since}
	if err := d.reloads.Fault(); err != nil {
		c.Fault = oneLine(err, maxPageFault)
	}
	return c
}

// timeOrNil returns nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
