// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/metrics"
)

// Status returns the state of the daemon. It may read the journal. It may be called at any time
// after New.
func (d *Daemon) Status() *api.Status {
	if d.receiversAnswer() {
		d.countDrops()
	}
	d.clock.Now() // notes a step
	v, families, sinks := d.lookBesideEvents(), d.reception.Counted(), d.pipelines.Status()
	for _, f := range families {
		v.families = append(v.families, f.State)
	}
	s := &api.Status{
		Version: d.opts.Version, PID: os.Getpid(), Time: time.Now(), Started: d.started,
		Config: d.configStatus(v.config), LogLevel: d.logLevel(), Families: familyStatus(families), Healthy: true,
		Notes: d.notes(sinks),
	}
	unread := map[string]error{}
	s.Journal, unread["journal"] = d.journalStatus(v.journal)
	for _, sink := range sinks {
		v.sinks = append(v.sinks, sink.SinkState)
		s.Sinks = append(s.Sinks, statusOf(&sink))
		unread["delivery/"+sink.Name] = sink.Unread
	}
	s.Parts = d.partsOf(v)
	for i := range s.Parts {
		p := &s.Parts[i]
		if err := unread[p.Name]; err != nil {
			p.Faults = append(p.Faults, unreadFault(err))
		}
		s.Healthy = s.Healthy && p.Alive && len(p.Faults) == 0
	}
	return s
}

// receiversAnswer reports whether no receiver is busy for long: countDrops would wait for it.
func (d *Daemon) receiversAnswer() bool {
	return !slices.ContainsFunc(d.reception.States(), func(s reception.State) bool { return s.Stuck > time.Second/2 })
}

// unreadFault is the fault of a part whose oldest event cannot be read, so that its time is
// unknown.
func unreadFault(err error) api.Fault {
	return api.Fault{Reason: metrics.FaultJournal, Text: oneLine(fmt.Errorf("cannot read the oldest event: %w", err), maxPageFault)}
}

func (d *Daemon) configStatus(fault error) api.Config {
	state := d.reloads.State()
	c := api.Config{Hash: state.Hash, Loaded: state.Since}
	if fault != nil {
		c.Fault = oneLine(fault, maxPageFault)
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
