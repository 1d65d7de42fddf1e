// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/metrics"
)

// limits are the longest times for which each part may be busy with one thing. Waiting for a sink,
// for space on the disk or for a module does not count: a restart would not end it. Package
// delivery has the limits of the workers.
type limits struct{ receiver, journal, state, reload time.Duration }

func defaultLimits() limits {
	return limits{
		receiver: 10 * time.Second, // much longer than a batch needs, unless the memory is swapped out
		journal:  2 * time.Minute,  // a slow disk needs long for an fsync of 16 MiB
		state:    2 * time.Minute,  // likewise
		reload:   reload.MaxReload,
	}
}

// parts returns the parts of the daemon and their faults. It reads nothing from the disk.
func (d *Daemon) parts() []api.Part { return d.partsOf(d.look()) }

func (d *Daemon) partsOf(v *view) (list []api.Part) {
	add := func(name string, busy, limit time.Duration, faults []api.Fault) {
		p := api.Part{Name: name, Alive: busy <= limit, Faults: append([]api.Fault{}, faults...)}
		if !p.Alive {
			p.Faults = append(p.Faults, api.Fault{Text: fmt.Sprintf("no progress for %s", busy.Round(time.Second))})
		}
		list = append(list, p)
	}
	for _, f := range v.families {
		add("receiver/"+f.Family, f.Stuck, d.limits.receiver, d.faultsOfFamily(&f))
	}
	add("journal", d.journal.Busy(), d.limits.journal, faultOf(v.journal))
	for _, s := range v.sinks {
		add("delivery/"+s.Name, 0, 0, faultsOfSink(&s))
		list[len(list)-1].Alive = !slices.ContainsFunc(s.Faults, isStall)
	}
	for _, e := range v.endpoints {
		add("listener/"+e.name, 0, 0, faultOf(e.fault))
	}
	busy := max(d.keepsClock.Age()-clockInterval, d.origins.Looked())
	add("state", busy, d.limits.state, v.state)
	add("config", d.reloads.Busy(), d.limits.reload, faultOf(v.config))
	d.since.note(list)
	return list
}

func isStall(f metrics.SinkFault) bool { return f.Reason == metrics.FaultStalled }

// faultOf returns an error as the fault of a part.
func faultOf(err error) []api.Fault {
	if err == nil {
		return nil
	}
	return []api.Fault{{Text: oneLine(err, maxPageFault)}}
}

// faultTimes remembers since when each fault of a part exists. It is accurate to the interval in
// which it is called. The zero value is usable.
type faultTimes struct {
	mu    sync.Mutex
	known map[[2]string]time.Time // by part and reason
}

// note sets the beginning of each fault that does not have one, and forgets the faults that have
// ended.
func (t *faultTimes) note(parts []api.Part) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, present := time.Now(), map[[2]string]time.Time{}
	for i := range parts {
		for j := range parts[i].Faults {
			f := &parts[i].Faults[j]
			key := [2]string{parts[i].Name, f.Reason}
			since, known := t.known[key]
			if !known {
				since = now
			}
			if present[key] = since; f.Since == nil {
				f.Since = &since
			}
		}
	}
	t.known = present
}
