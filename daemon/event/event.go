// SPDX-License-Identifier: Apache-2.0

// Package event defines what genltestd forwards: one multicast message of the
// kernel family, or the news that some were lost, with the identity that the
// journal gave it.
package event

import (
	"strconv"
	"time"
)

// An Event is one multicast message as every sink sees it. Its text comes from
// whoever may write to the kernel's trigger: treat it as untrusted bytes.
//
// An Event is a value; its Message may point into the journal's memory and must
// not be modified.
type Event struct {
	JournalID string    // the journal that numbered the event
	Seq       uint64    // number within the journal: grows, with gaps after a crash, never reused
	Time      time.Time // when the daemon received it, wall clock

	// What the kernel said of it; zero when the module does not say.
	KernelTime time.Time // when the module sent it
	KernelSeq  uint64    // number within one load of the module, from 1
	LoadID     uint64    // drawn at random when the module was loaded

	Host    string // the machine that received it
	Family  string // generic netlink family
	Group   string // multicast group
	Message []byte // the text, without its terminating NUL; any bytes but NUL

	Origin   *Origin   // what the configuration adds to every event; nil adds nothing
	Captures []Capture // named parts of the text, that a sink's rules have taken out of it

	Gap        *Gap        // not nil: no event, but what is known of events that were lost here
	Suppressed *Suppressed // not nil: no event, but how many this sink is not to get
}

// An Origin says more of where an event comes from. It is shared by many events.
type Origin struct {
	MachineID     string // machine-id(5); empty when not asked for
	BootID        string // of the boot in which the event was received; empty when not asked for, or not known
	KernelRelease string // that was running then; likewise
	Labels        []Label
}

// A Label is a name and value that the operator has given to the machine.
type Label struct{ Name, Value string }

// A Capture is what a named group of a regular expression has matched.
type Capture struct {
	Name  string
	Value []byte // part of the text
}

// A Suppressed tells a sink of events that its own rules have kept from it. It
// stands behind the last event of the time in which that happened, and has that
// one's number.
type Suppressed struct {
	Count    uint64
	Reason   string    // from the closed list of the metric sink_events_suppressed_total
	From, To time.Time // receipt of the first and the last, wall clock
}

// A Gap says that events were multicast and not received. It stands between the
// events where the loss was noticed, or up to a second behind.
type Gap struct {
	Count    uint64    // events lost
	Reason   string    // from the closed list of the metric events_lost_total
	From, To time.Time // when the loss was noticed: first and last, wall clock
	LoadID   uint64    // of the module's load that they belong to; 0 when not known
	First    uint64    // kernel sequence numbers of the first and the last event lost, 0
	Last     uint64    // when not known; events between the two may have arrived
}

// Kind returns "event", "gap" or "suppressed".
func (e *Event) Kind() string {
	switch {
	case e.Gap != nil:
		return "gap"
	case e.Suppressed != nil:
		return "suppressed"
	}
	return "event"
}

// Kinds returns every value of Kind.
func Kinds() []string { return []string{"event", "gap", "suppressed"} }

// ID returns the event's stable name, the same in every sink and on every
// retry: the journal's id and the event's number in it. What tells of suppressed
// events has the number of the event before it, and its reason behind that.
func (e *Event) ID() string { return string(e.AppendID(nil)) }

// SetJournal records the journal that numbered the event. It removes the origin if this
// is not the present journal, because the origins of an earlier journal are not known.
func (e *Event) SetJournal(journalID string) {
	if e.JournalID != journalID {
		e.JournalID, e.Origin = journalID, nil
	}
}

// AppendID appends the ID to dst and returns the extended buffer.
func (e *Event) AppendID(dst []byte) []byte {
	dst = append(dst, e.JournalID...)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, e.Seq, 10)
	if e.Suppressed != nil {
		dst = append(dst, '-')
		dst = append(dst, e.Suppressed.Reason...)
	}
	return dst
}
