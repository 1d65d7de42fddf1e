// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// A View is the event as a template sees it. A template writes a View as the event's
// JSON.
type View struct{ e *event.Event }

func (v *View) String() string { return string(v.e.AppendJSON(nil)) }

// ID returns the event's stable id.
func (v *View) ID() string { return v.e.ID() }

// Seq returns the number in the journal.
func (v *View) Seq() uint64 { return v.e.Seq }

// Kind returns event, gap, suppressed or test.
func (v *View) Kind() string { return v.e.Kind() }

// Time returns when the daemon received the event.
func (v *View) Time() *Instant { return instant(v.e.Time) }

// KernelTime returns when the module sent the event, or nil if the module does not send
// it.
func (v *View) KernelTime() *Instant { return instant(v.e.KernelTime) }

// KernelSeq returns the number since the module was loaded, or 0 if not known.
func (v *View) KernelSeq() uint64 { return v.e.KernelSeq }

// LoadID returns the id of the module's load; empty if not known.
func (v *View) LoadID() string { return loadID(v.e.LoadID) }

// Host returns the machine that received the event.
func (v *View) Host() Text { return Text(v.e.Host) }

// Family returns the generic netlink family.
func (v *View) Family() string { return v.e.Family }

// Group returns the multicast group.
func (v *View) Group() string { return v.e.Group }

// Message returns the event's text; it is empty for a gap, suppressed events and a test.
func (v *View) Message() Text { return Text(v.e.Message) }

// Text returns the event's text, or a sentence that describes a gap, suppressed events or a
// test.
func (v *View) Text() Text { return Text(v.e.AppendText(nil)) }

// MachineID returns machine-id(5); empty unless configured.
func (v *View) MachineID() string { return v.origin().MachineID }

// BootID returns the id of the boot; empty unless configured.
func (v *View) BootID() string { return v.origin().BootID }

// KernelRelease returns the release of the kernel; empty unless configured.
func (v *View) KernelRelease() string { return v.origin().KernelRelease }

// Labels returns the machine's labels by name. A label that was configured after the
// event was received is empty.
func (v *View) Labels() map[string]string {
	labels := make(map[string]string)
	for _, l := range v.origin().Labels {
		labels[l.Name] = l.Value
	}
	return labels
}

// Captures returns the named parts of the text that the sink's rules extracted.
func (v *View) Captures() map[string]Text {
	captures := make(map[string]Text)
	for _, c := range v.e.Captures {
		captures[c.Name] = Text(c.Value)
	}
	return captures
}

// Gap returns nil unless the View is a gap.
func (v *View) Gap() *Gap {
	if v.e.Gap == nil {
		return nil
	}
	return &Gap{v.e.Gap}
}

// Suppressed returns nil unless the View is suppressed events.
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

// Count returns how many events were lost.
func (g *Gap) Count() uint64 { return g.gap.Count }

// Reason returns the reason, as in the metric events_lost_total.
func (g *Gap) Reason() string { return g.gap.Reason }

// From returns when the loss was first noticed.
func (g *Gap) From() *Instant { return instant(g.gap.From) }

// To returns when the loss was last noticed.
func (g *Gap) To() *Instant { return instant(g.gap.To) }

// FirstKernelSeq returns the number of the first lost event, or 0 if not known.
func (g *Gap) FirstKernelSeq() uint64 { return g.gap.First }

// LastKernelSeq returns the number of the last lost event, or 0 if not known.
func (g *Gap) LastKernelSeq() uint64 { return g.gap.Last }

// LoadID returns the load of the lost events; empty if not known.
func (g *Gap) LoadID() string { return loadID(g.gap.LoadID) }

// A Suppressed is an event.Suppressed as a template sees it.
type Suppressed struct{ suppressed *event.Suppressed }

func (s *Suppressed) String() string { return string(s.suppressed.AppendJSON(nil)) }

// Count returns how many events were suppressed.
func (s *Suppressed) Count() uint64 { return s.suppressed.Count }

// Reason returns the reason, as in the metric sink_events_suppressed_total.
func (s *Suppressed) Reason() string { return s.suppressed.Reason }

// From returns when the first event was received.
func (s *Suppressed) From() *Instant { return instant(s.suppressed.From) }

// To returns when the last event was received.
func (s *Suppressed) To() *Instant { return instant(s.suppressed.To) }

func loadID(id uint64) string {
	if id == 0 {
		return ""
	}
	return string(event.AppendLoadID(nil, id))
}

// A Text is an untrusted value: the text of an event, a part of it, or the name of a
// host. String escapes the characters that control a terminal or end a line, so a
// template writes it safely. Functions process the exact bytes. Their result is also a
// Text, unless it is always safe.
type Text string

func (t Text) String() string {
	if event.IsVisible(string(t)) {
		return string(t)
	}
	return string(event.AppendVisible(nil, []byte(t)))
}

// textOf returns the bytes of a string or a Text.
func textOf(value any) (text string, untrusted bool, err error) {
	switch v := value.(type) {
	case string:
		return v, false, nil
	case Text:
		return string(v), true, nil
	}
	return "", false, fmt.Errorf("%s is not a text; write a field such as .Text", typeWord(fmt.Sprintf("%T", value)))
}

// sameType returns text as a Text if it is untrusted, or else as a string.
func sameType(untrusted bool, text string) any {
	if untrusted {
		return Text(text)
	}
	return text
}
