// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/metrics"
)

// A view is the state of the daemon at one time. An answer that shows a fault in several places
// uses one view for all of them, because a fault can begin or end at any moment.
type view struct {
	families  []reception.State
	journal   error // why the journal does not store events, or nil
	sinks     []metrics.SinkState
	endpoints []endpointState
	state     []api.Fault // files of the state directory
	config    error       // why the last reload failed, or nil
}

type endpointState struct {
	name  string
	fault error // why it is not bound, or nil
}

// look returns the present view. It reads nothing from the disk.
func (d *Daemon) look() *view {
	v := d.lookBesideEvents()
	v.families, v.sinks = d.reception.States(), d.pipelines.States()
	return v
}

// lookBesideEvents returns the present view without families and sinks.
func (d *Daemon) lookBesideEvents() *view {
	v := &view{journal: d.journalFault(), state: d.state.list(), config: d.reloads.Fault()}
	for _, e := range d.endpoints() {
		v.endpoints = append(v.endpoints, endpointState{e.Name, e.Fault()})
	}
	return v
}

// endpointFaults returns a line for each endpoint that is not bound.
func (v *view) endpointFaults() (faults []string) {
	for _, e := range v.endpoints {
		if e.fault != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", e.name, e.fault))
		}
	}
	return faults
}
