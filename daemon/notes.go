// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/pipeline"
)

const (
	// slowAfter is the age of the oldest event from which on a sink without a fault is slow. The alert
	// GenltestdSinkSlow uses the same age.
	slowAfter = 30 * time.Second
	// stepShown is the time for which a step of the clock is shown.
	stepShown = time.Hour
)

// notes returns the states that operators should know although they are not faults.
func (d *Daemon) notes(sinks []pipeline.State) []api.Note {
	list := []api.Note{} // not null in JSON
	for i := range sinks {
		if s := &sinks[i]; len(s.Faults) == 0 && s.Behind > slowAfter+s.BatchWait {
			list = append(list, api.Note{Part: "delivery/" + s.Name, Text: slowText(s)})
		}
	}
	if step := d.lastStep.Load(); step != nil && time.Since(step.at) < stepShown {
		at := step.at.Round(0)
		list = append(list, api.Note{Part: "clock", Text: "the wall clock was stepped by " + stepText(step.by), Since: &at})
	}
	return list
}

// slowText describes a sink whose attempts do not fail. The last delivery distinguishes a
// slow destination from a hanging one.
func slowText(s *pipeline.State) string {
	last := "no event was accepted since the start"
	if !s.LastDelivery.IsZero() {
		last = fmt.Sprintf("the last event was accepted %s ago", time.Since(s.LastDelivery).Round(time.Second))
	}
	waited := s.Behind.Round(time.Second)
	return fmt.Sprintf("the sink is slow: its oldest event has waited for %s, and no attempt has failed; %s", waited, last)
}
