// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/metrics"
)

const (
	// stuckAfter is far more than a batch takes when its memory is not swapped out.
	stuckAfter = 10 * time.Second
)

// alive says what makes the process one that should be restarted.
func (d *Daemon) alive() []string {
	if stuck := d.receiver.Stuck(); stuck > stuckAfter {
		return []string{fmt.Sprintf("receiver: busy with one batch for %s", stuck.Round(time.Second))}
	}
	return nil
}

// ready says what keeps events from arriving or from being delivered.
func (d *Daemon) ready() []string {
	faults := d.alive()
	if !d.receiver.Subscribed() {
		faults = append(faults, "receiver: the family "+genl.FamilyName+" is not registered; is its module loaded?")
	} else if err := d.echo.Fault(time.Now()); err != nil {
		faults = append(faults, "echo: the last health check failed: "+err.Error())
	}
	if err := d.journalFault(); err != nil {
		faults = append(faults, "journal: "+err.Error())
	}
	faults = append(faults, d.state.list()...)
	faults = append(faults, d.endpointFaults()...)
	for _, s := range d.pipelines.States() {
		for _, f := range s.Faults {
			faults = append(faults, fmt.Sprintf("sink %s: %s: %d events wait: %s", s.Name, f.Reason, s.Waiting+s.InFlight, oneLine(f.Err, maxPageFault)))
		}
	}
	return faults
}

// countDrops brings the one counter up to date that the kernel keeps.
func (d *Daemon) countDrops() {
	if err := d.receiver.CountDrops(); err != nil {
		d.repeats.Warn("counting lost events for a scrape", "error", err)
	}
}

func (d *Daemon) journalState() metrics.JournalState {
	s := d.journal.Stats()
	return metrics.JournalState{
		Bytes: s.Bytes, Accepting: d.journalFault() == nil,
		Damaged: s.Damage.Records, DamagedBytes: s.Damage.Bytes, Cursors: s.Damage.Cursors, TornBytes: s.Damage.Torn,
		Repairs: s.Damage.Repairs, Missing: s.Damage.Missing, Foreign: s.Damage.Strays, Unreadable: s.Unreadable,
		Synced: s.Synced, Last: s.Newest,
	}
}

// journalFault says why events are not safe in the journal, nil when they are.
func (d *Daemon) journalFault() error { return cmp.Or(d.receiver.Blocked(), d.journal.Stats().Fault) }

// What of an error is shown, in bytes.
const (
	maxPageFault   = 1000
	maxStatusFault = 200
)

// oneLine returns the text of an error that is safe to show on one line.
func oneLine(err error, limit int) string {
	text := event.AppendVisible(nil, []byte(strings.ReplaceAll(err.Error(), "\n", "; ")))
	if len(text) > limit {
		text = append(text[:limit-3], "..."...)
	}
	return strings.ToValidUTF8(string(text), "")
}

// unsettled reports whether the status may change soon without an event: while a sink has
// events that it has not taken.
func (d *Daemon) unsettled() bool {
	return slices.ContainsFunc(d.pipelines.States(), func(s metrics.SinkState) bool { return s.Waiting+s.InFlight > 0 || len(s.Faults) > 0 })
}

func (d *Daemon) statusLine() string {
	state := "waiting for the family " + genl.FamilyName
	if family := d.receiver.SubscribedTo(); family != 0 { // one look: the number belongs to the state
		state = fmt.Sprintf("subscribed to %s/%s (family %d)", genl.FamilyName, genl.GroupName, family)
	}
	failing, waiting, sinks := 0, uint64(0), d.pipelines.States()
	why := ""
	for _, s := range sinks {
		waiting = max(waiting, s.Waiting+s.InFlight)
		if len(s.Faults) == 0 {
			continue
		}
		if failing++; failing == 1 {
			why = fmt.Sprintf("%s: %s: %s", s.Name, s.Faults[0].Reason, oneLine(s.Faults[0].Err, maxStatusFault))
		}
	}
	line := fmt.Sprintf("%s; %d events; %d sinks", state, d.receiver.Received(), len(sinks))
	if failing > 0 {
		line += fmt.Sprintf(", %d failing (%s), up to %d events wait", failing, why, waiting)
	}
	blocked := d.journalFault()
	if blocked != nil {
		line += "; the journal does not accept events"
	}
	silent := false
	if err := d.echo.Fault(time.Now()); err != nil && d.receiver.Subscribed() && !errors.Is(err, echo.ErrUnprobed) {
		line += "; echo: " + err.Error()
		silent = true
	}
	unbound := d.endpointFaults()
	for _, fault := range unbound {
		line += "; cannot answer: " + fault
	}
	if failing > 0 || blocked != nil || silent || len(unbound) > 0 {
		line = "DEGRADED: " + line
	}
	if err := d.reloads.Fault(); err != nil {
		line = "RELOAD FAILED: " + err.Error() + "; " + line
	}
	return line
}
