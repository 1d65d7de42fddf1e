// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"github.com/genltestd/genltestd/daemon/event"
)

// A View is the event as a template sees it. Written out, a View is the event's
// JSON.
type View struct{ e *event.Event }

func (v *View) String() string { return string(v.e.AppendJSON(nil)) }

// ID is the event's stable name.
func (v *View) ID() string { return v.e.ID() }

// Seq is the number in the journal.
func (v *View) Seq() uint64 { return v.e.Seq }

// Kind is event, gap or suppressed.
func (v *View) Kind() string { return v.e.Kind() }

// Time is when the daemon received the event.
func (v *View) Time() *Instant { return instant(v.e.Time) }

// KernelTime is when the module sent it: nothing when it does not say.
func (v *View) KernelTime() *Instant { return instant(v.e.KernelTime) }

// KernelSeq is the number within one load of the module, 0 when not known.
func (v *View) KernelSeq() uint64 { return v.e.KernelSeq }

// LoadID tells one load of the module from another; empty when not known.
func (v *View) LoadID() string { return loadID(v.e.LoadID) }

// Host is the machine that received the event.
func (v *View) Host() Text { return Text(v.e.Host) }

// Family is the generic netlink family.
func (v *View) Family() string { return v.e.Family }

// Group is the multicast group.
func (v *View) Group() string { return v.e.Group }

// Message is the event's text; empty for what is no event.
func (v *View) Message() Text { return Text(v.e.Message) }

// Text is the event's text, or a sentence that says what a gap or suppressed events
// are.
func (v *View) Text() Text { return Text(v.e.AppendText(nil)) }

// MachineID is empty unless the configuration asks for it.
func (v *View) MachineID() string { return v.origin().MachineID }

// BootID is empty unless the configuration asks for it.
func (v *View) BootID() string { return v.origin().BootID }

// KernelRelease is empty unless the configuration asks for it.
func (v *View) KernelRelease() string { return v.origin().KernelRelease }

// Labels are the machine's, by name. One that the event does not have is empty: it
// was received before the label was configured.
func (v *View) Labels() map[string]string {
	labels := make(map[string]string)
	for _, l := range v.origin().Labels {
		labels[l.Name] = l.Value
	}
	return labels
}

// Captures are the named parts of the text that the sink's rules have taken out of
// it.
func (v *View) Captures() map[string]Text {
	captures := make(map[string]Text)
	for _, c := range v.e.Captures {
		captures[c.Name] = Text(c.Value)
	}
	return captures
}

// Gap is nothing unless the View is of a gap.
func (v *View) Gap() *Gap {
	if v.e.Gap == nil {
		return nil
	}
	return &Gap{v.e.Gap}
}

// Suppressed is nothing unless the View is of suppressed events.
func (v *View) Suppressed() *Suppressed {
	if v.e.Suppressed == nil {
		return nil
	}
	return &Suppressed{v.e.Suppressed}
}

func (v *View) origin() *event.Origin {
	if v.e.Origin == nil {
		return &event.Origin{}
	}
	return v.e.Origin
}

// A Gap is an event.Gap as a template sees it.
type Gap struct{ gap *event.Gap }

func (g *Gap) String() string { return string(g.gap.AppendJSON(nil)) }

// Count is how many events were lost.
func (g *Gap) Count() uint64 { return g.gap.Count }

// Reason is that of the metric events_lost_total.
func (g *Gap) Reason() string { return g.gap.Reason }

// From is when the loss was first noticed.
func (g *Gap) From() *Instant { return instant(g.gap.From) }

// To is when it was last noticed.
func (g *Gap) To() *Instant { return instant(g.gap.To) }

// FirstKernelSeq is the number of the first event lost, 0 when not known.
func (g *Gap) FirstKernelSeq() uint64 { return g.gap.First }

// LastKernelSeq is the number of the last one.
func (g *Gap) LastKernelSeq() uint64 { return g.gap.Last }

// LoadID is that of the events lost; empty when not known.
func (g *Gap) LoadID() string { return loadID(g.gap.LoadID) }

// A Suppressed is an event.Suppressed as a template sees it.
type Suppressed struct{ suppressed *event.Suppressed }

func (s *Suppressed) String() string { return string(s.suppressed.AppendJSON(nil)) }

// Count is how many events the sink is not to get.
func (s *Suppressed) Count() uint64 { return s.suppressed.Count }

// Reason is that of the metric sink_events_suppressed_total.
func (s *Suppressed) Reason() string { return s.suppressed.Reason }

// From is when the first was received.
func (s *Suppressed) From() *Instant { return instant(s.suppressed.From) }

// To is when the last was received.
func (s *Suppressed) To() *Instant { return instant(s.suppressed.To) }

func loadID(id uint64) string {
	if id == 0 {
		return ""
	}
	return string(event.AppendLoadID(nil, id))
}
