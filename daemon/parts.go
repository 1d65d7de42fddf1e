// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/daemon/control/api"
)

// parts returns the parts of the daemon. journal are the faults of the journal.
func (d *Daemon) parts(s *api.Status, journal []api.Fault) (list []api.Part) {
	add := func(name string, faults []api.Fault) {
		list = append(list, api.Part{Name: name, Alive: true, Faults: append([]api.Fault{}, faults...)})
	}
	for _, f := range d.reception.States() {
		add("receiver/"+f.Family, d.faultsOfFamily(&f))
	}
	add("journal", journal)
	for i := range s.Sinks {
		add("delivery/"+s.Sinks[i].Name, s.Sinks[i].Faults)
	}
	for _, e := range d.endpoints() {
		var faults []api.Fault
		if err := e.Fault(); err != nil {
			faults = append(faults, api.Fault{Text: oneLine(err, maxPageFault)})
		}
		add("listener/"+e.Name, faults)
	}
	var state []api.Fault
	for _, line := range d.state.list() {
		state = append(state, api.Fault{Text: line})
	}
	add("state", state)
	var config []api.Fault
	if s.Config.Fault != "" {
		config = append(config, api.Fault{Text: s.Config.Fault})
	}
	add("config", config)
	if family, stuck := d.reception.Stuck(); stuck > stuckAfter {
		for i := range list {
			if list[i].Name == "receiver/"+family {
				list[i].Alive = false
			}
		}
	}
	return list
}
