// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/metrics"
)

// alive returns a line for each part that makes no progress, which only a restart of the process
// can repair.
func (d *Daemon) alive() []string { return deadParts(d.parts()) }

func deadParts(parts []api.Part) (lines []string) {
	for _, p := range parts {
		if !p.Alive {
			lines = append(lines, p.Name+": "+p.Faults[len(p.Faults)-1].Text)
		}
	}
	return lines
}

// liveness is the health of the process.
func (d *Daemon) liveness() api.Health {
	parts := d.parts()
	return health(parts, deadParts(parts))
}

// readiness is the health of receiving and delivering.
func (d *Daemon) readiness() api.Health {
	v := d.look()
	parts := d.partsOf(v)
	return health(parts, append(deadParts(parts), d.faultsIn(v)...))
}

func health(parts []api.Part, faults []string) api.Health {
	return api.Health{OK: len(faults) == 0, Faults: append([]string{}, faults...), Parts: parts}
}

// faultsIn returns what prevents the daemon from receiving or delivering events.
func (d *Daemon) faultsIn(v *view) []string {
	faults := d.familyFaults(v.families)
	if v.journal != nil {
		faults = append(faults, "journal: "+v.journal.Error())
	}
	for _, f := range v.state {
		faults = append(faults, "state: "+f.Text)
	}
	faults = append(faults, v.endpointFaults()...)
	for _, s := range v.sinks {
		for _, f := range s.Faults {
			text := oneLine(f.Err, maxPageFault)
			faults = append(faults, fmt.Sprintf("sink %s: %s: %d events wait: %s", s.Name, f.Reason, s.Waiting+s.InFlight, text))
		}
	}
	return faults
}

// countDrops updates the counter that the kernel maintains.
func (d *Daemon) countDrops() {
	if err := d.reception.CountDrops(); err != nil {
		d.repeats.Warn("counting lost events for a scrape", "error", err)
	}
}

func (d *Daemon) journalState() metrics.JournalState {
	s := d.journal.Stats()
	return metrics.JournalState{
		Bytes: s.Bytes, Limit: s.Limit, Accepting: d.journalFault() == nil,
		Damaged: s.Damage.Records, DamagedBytes: s.Damage.Bytes, Cursors: s.Damage.Cursors, TornBytes: s.Damage.Torn,
		Repairs: s.Damage.Repairs, Missing: s.Damage.Missing, Foreign: s.Damage.Strays, Unreadable: s.Unreadable,
		Synced: s.Synced, Last: s.Newest,
	}
}

// journalFault returns why the journal does not store events, or nil if it does.
func (d *Daemon) journalFault() error { return cmp.Or(d.reception.Blocked(), d.journal.Stats().Fault) }

// Maximum length of the text of an error, in bytes.
const (
	maxPageFault   = 1000
	maxStatusFault = 200
)

// oneLine returns the text of an error as one line that is safe to print on a terminal.
func oneLine(err error, limit int) string {
	text := event.AppendVisible(nil, []byte(strings.ReplaceAll(err.Error(), "\n", "; ")))
	if len(text) > limit {
		text = append(text[:limit-3], "..."...)
	}
	return strings.ToValidUTF8(string(text), "")
}

// unsettled reports whether the status may change without an event: a sink has faults, or
// events that it has not accepted.
func (d *Daemon) unsettled() bool {
	return slices.ContainsFunc(d.pipelines.States(), func(s metrics.SinkState) bool {
		return s.Waiting+s.InFlight > 0 || len(s.Faults) > 0
	})
}

// statusLine returns the line that systemctl status shows.
func (d *Daemon) statusLine() string {
	v := d.look()
	d.partsOf(v) // so that the beginning of each fault is known
	sinks, failing := sinksStatus(v.sinks)
	line := fmt.Sprintf("%s; %d events; %s", familiesStatus(v.families), d.reception.Received(), sinks)
	faults := d.receptionFaults(v)
	for _, fault := range faults {
		line += "; " + fault
	}
	if failing || len(faults) > 0 {
		line = "DEGRADED: " + line
	}
	if v.config != nil {
		line = "RELOAD FAILED: " + v.config.Error() + "; " + line
	}
	return line
}

// sinksStatus returns the number of sinks and, if any are failing, why the first one fails.
func sinksStatus(sinks []metrics.SinkState) (text string, failing bool) {
	count, waiting, why := 0, uint64(0), ""
	for _, s := range sinks {
		waiting = max(waiting, s.Waiting+s.InFlight)
		if len(s.Faults) == 0 {
			continue
		}
		if count++; count == 1 {
			why = fmt.Sprintf("%s: %s: %s", s.Name, s.Faults[0].Reason, oneLine(s.Faults[0].Err, maxStatusFault))
		}
	}
	text = fmt.Sprintf("%d sinks", len(sinks))
	if count > 0 {
		text += fmt.Sprintf(", %d failing (%s), up to %d events wait", count, why, waiting)
	}
	return text, count > 0
}

// receptionFaults returns the faults of the status line that do not belong to a sink.
func (d *Daemon) receptionFaults(v *view) (faults []string) {
	if v.journal != nil {
		faults = append(faults, "the journal does not accept events")
	}
	faults = append(faults, d.degradedFamilies(v.families)...)
	for _, fault := range v.endpointFaults() {
		faults = append(faults, "cannot answer: "+fault)
	}
	return faults
}
