// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/metrics"
)

// familyStatus returns the state of each family.
func familyStatus(families []reception.Counted) []api.Family {
	list := []api.Family{}
	for _, s := range families {
		list = append(list, api.Family{
			Name: s.Family, ID: int(s.ID), Groups: append([]string{}, s.Groups...), Subscribed: s.ID != 0, Echo: echoStatus(&s.State),
			BufferBytes: s.BufferBytes, Received: s.Received, Lost: s.Lost, Refused: s.Refused, BlindSeconds: s.BlindSeconds,
		})
	}
	return list
}

// echoStatus returns the result of the last health check of a family, empty without checks.
func echoStatus(s *reception.State) string {
	switch {
	case !s.Echoed:
		return ""
	case s.Echo != nil:
		return oneLine(s.Echo, maxPageFault)
	}
	return metrics.EchoOK
}

// faultsOfFamily returns why events of a family cannot arrive or be decoded, or its module
// does not answer.
func (d *Daemon) faultsOfFamily(s *reception.State) []api.Fault {
	faults := []api.Fault{}
	switch reason := s.Reason(); {
	case s.Absent: // its own text is for the log
		faults = append(faults, api.Fault{Reason: reason, Text: absentFault(s.Family)})
	case s.Fault != nil:
		faults = append(faults, api.Fault{Reason: reason, Text: oneLine(s.Fault, maxPageFault)})
	case s.Echo != nil:
		faults = append(faults, api.Fault{Reason: reason, Text: echoFault(s.Echo)})
	}
	if err := d.specs.Load().Fault(s.Family); err != nil {
		faults = append(faults, api.Fault{Reason: metrics.FamilySpec, Text: specFault(s.Family) + oneLine(err, maxPageFault)})
	}
	return faults
}
