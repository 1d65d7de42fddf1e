// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/internal/progress"
)

const (
	// hostInterval is the interval between two reads of the machine's name.
	hostInterval = time.Second
	// unknownHost is the host of events while the name of the machine is unknown.
	unknownHost = "localhost"
)

// A Config selects the fields that are added to each event.
type Config struct {
	Host          string // replaces the machine's name; empty for the machine's name
	MachineID     bool
	BootID        bool
	KernelRelease bool
	Labels        map[string]string
}

// SortedLabels returns the labels in the order of their names.
func (c *Config) SortedLabels() (labels []event.Label) {
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, event.Label{Name: name, Value: c.Labels[name]})
	}
	return labels
}

// TrackerOptions are the dependencies of a Tracker. Each is required.
type TrackerOptions struct {
	Options
	Oldest   uint64        // number of the first event in the journal
	Next     func() uint64 // returns the number of the next event
	Machine  *Machine
	Hostname func() (string, error)
	OnResult func(error) // called after each attempt to read or write the file
	Log      *slog.Logger
}

// A Tracker returns the origin of each event. It follows the name of the machine, and
// stores a new name before the first event that shows it. Its methods are safe for
// concurrent use.
type Tracker struct {
	TrackerOptions
	boots   *Boots
	failed  atomic.Bool            // the last attempt to read or write the file failed
	renamed atomic.Pointer[string] // the host of the next event, if it changes
	table   atomic.Pointer[Table]
	beat    progress.Beat // of Run

	mu  sync.Mutex // held to replace table
	cfg Config
}

// NewTracker stores the current boot, even if its id is not shown: a later configuration
// may show it. A failure to do so must not prevent start-up; the tracker tries again. It
// must be called before events are received.
func NewTracker(o TrackerOptions, cfg Config) *Tracker {
	t := &Tracker{TrackerOptions: o, cfg: cfg}
	boots, err := Open(o.Options, o.Oldest, o.Next(), o.Machine.Boot, cmp.Or(t.host(), unknownHost))
	t.boots = boots
	t.report(err)
	t.refresh()
	return t
}

// Of returns the origin and the host of the event with that number; see Table.Of.
func (t *Tracker) Of(seq uint64) (o *event.Origin, host string) { return t.table.Load().Of(seq) }

// Configure changes the fields of events that are read from now on, and the host of
// events that are received from now on.
func (t *Tracker) Configure(cfg Config) {
	t.mu.Lock()
	t.cfg = cfg
	t.mu.Unlock()
	t.refresh()
	t.Look()
}

// Run follows the name of the machine until the context ends.
func (t *Tracker) Run(ctx context.Context) {
	tick := time.NewTicker(hostInterval)
	defer tick.Stop()
	defer t.beat.Stop()
	for {
		t.beat.Mark()
		t.Look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Looked returns how long ago Run last looked, 0 while it does not run.
func (t *Tracker) Looked() time.Duration { return t.beat.Age() }

// Look reads the name of the machine. A new name is shown by the next event and by later
// ones. If the file could not be read or written, Look tries that again.
func (t *Tracker) Look() {
	if t.failed.Load() {
		t.report(t.boots.Maintain())
		t.refresh()
	}
	if host := cmp.Or(t.host(), t.boots.Host()); host != t.boots.Host() {
		t.renamed.Store(&host)
	}
}

// Apply stores a new host, if there is one. It must be called before each batch is
// journaled, so that no event ever shows two hosts. While the host cannot be stored,
// events show the previous one.
func (t *Tracker) Apply() {
	if t.renamed.Load() == nil {
		return // the usual case does not write to shared memory
	}
	host := *t.renamed.Swap(nil)
	err := t.boots.Note(t.Next(), host)
	t.report(err)
	if err == nil {
		t.refresh()
		t.Log.Info("the host of new events has changed", "host", host)
	}
}

func (t *Tracker) report(err error) {
	t.failed.Store(err != nil)
	t.OnResult(err)
}

// host returns the host of new events, empty if it cannot be read.
func (t *Tracker) host() string {
	t.mu.Lock()
	host := t.cfg.Host
	t.mu.Unlock()
	if host != "" {
		return host
	}
	name, err := t.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// refresh builds the table again from the boots and the configuration.
func (t *Tracker) refresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	every := event.Origin{Labels: t.cfg.SortedLabels()}
	if t.cfg.MachineID {
		every.MachineID = t.Machine.ID
	}
	t.table.Store(t.boots.Table(every, t.cfg.BootID, t.cfg.KernelRelease))
}
