// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"time"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/metrics"
)

const (
	// hostInterval is the interval between two looks at the machine's name.
	hostInterval = time.Second
	// unknownHost is the host of events while the machine has no name.
	unknownHost = "localhost"
)

// hostName returns the host of events that are received now, empty when it cannot be read.
func (d *Daemon) hostName() string {
	if host := d.config().Event.Host; host != "" {
		return host
	}
	name, err := d.opts.Host()
	if err != nil {
		return ""
	}
	return name
}

// followHost follows changes of the machine's name until the context ends.
func (d *Daemon) followHost(ctx context.Context) {
	tick := time.NewTicker(hostInterval)
	defer tick.Stop()
	for {
		d.lookAtHost()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookAtHost has the next event that is journaled, and those after it, show the present
// host.
func (d *Daemon) lookAtHost() {
	if d.state.has(metrics.FileBoots) {
		d.state.set(metrics.FileBoots, d.boots.Maintain())
		d.useOrigins()
	}
	if host := cmp.Or(d.hostName(), d.boots.Host()); host != d.boots.Host() {
		d.renamed.Store(&host)
	}
}

// noteHost stores a new host before an event is journaled that shows it, so that this event
// never shows another one. While it cannot be stored, events show the host before.
func (d *Daemon) noteHost() {
	if d.renamed.Load() == nil {
		return // without a write to memory that is shared
	}
	host := *d.renamed.Swap(nil)
	err := d.boots.Note(d.journal.Stats().Last+1, host)
	d.state.set(metrics.FileBoots, err)
	if err == nil {
		d.useOrigins()
		d.log.Info("events show another host from now on", "host", host)
	}
}

// A hostJournal calls note before each batch is journaled.
type hostJournal struct {
	*journal.Journal
	note func()
}

// Append implements receiver.Journal.
func (j hostJournal) Append(generation uint64, t time.Time, records [][]byte) error {
	j.note()
	return j.Journal.Append(generation, t, records)
}
