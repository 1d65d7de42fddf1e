// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net/http"

	"github.com/genltestd/genltestd/daemon/canary"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/metrics"
)

// canaries implements control.Canaries.
type canaries struct{ d *Daemon }

var _ control.Canaries = canaries{}

// RequestCanary implements control.Canaries.
func (c canaries) RequestCanary() (*api.Canary, error) {
	var names []string
	cfg := c.d.reloads.Config()
	for i := range cfg.Sinks {
		names = append(names, cfg.Sinks[i].Name)
	}
	text, err := c.d.canaries.Request(names)
	if err != nil {
		return nil, conflict("no canary can be received: %v", err)
	}
	requested := shownCanary(c.d.canaries.Last())
	requested.Text = text
	return requested, nil
}

// LastCanary implements control.Canaries.
func (c canaries) LastCanary() (*api.Canary, error) {
	last := c.d.canaries.Last()
	if last.Requested.IsZero() {
		return nil, &api.Error{Status: http.StatusNotFound, Message: "no canary was requested since the start of the daemon"}
	}
	return shownCanary(last), nil
}

func shownCanary(s canary.State) *api.Canary {
	c := &api.Canary{Requested: s.Requested.UTC(), Received: s.Received, Sinks: []api.CanarySink{}}
	for _, p := range s.Sinks {
		c.Sinks = append(c.Sinks, api.CanarySink{Sink: p.Name, Reached: p.Reached, LatencySeconds: p.Latency.Seconds()})
	}
	return c
}

// canaryState returns the last canary for the metrics.
func (d *Daemon) canaryState() (state metrics.CanaryState) {
	last := d.canaries.Last()
	state.Requested = last.Requested
	for _, s := range last.Sinks {
		state.Sinks = append(state.Sinks, metrics.CanarySink{Name: s.Name, Latency: s.Latency})
	}
	return state
}
