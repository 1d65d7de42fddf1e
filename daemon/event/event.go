// SPDX-License-Identifier: Apache-2.0

// Package event defines the events that genltestd forwards: one multicast message of
// a kernel family, or the report that some were lost or suppressed, with the number
// that the journal assigned. A test event is not in the journal.
package event

import (
	"strconv"
	"time"
)

// An Event is one multicast message, as every sink receives it. Any process that may
// write to the kernel's trigger can choose the text: treat it as untrusted bytes.
//
// An Event is a value. Its Message and its Content may point into the journal's memory and
// must not be modified.
type Event struct {
	JournalID string    // the journal that assigned the number
	Seq       uint64    // number in the journal: increases, with gaps after a crash, and is never reused
	Time      time.Time // when the daemon received it, wall clock

	// From the module of genltest; zero if it does not send them.
	KernelTime time.Time // when the module sent it
	KernelSeq  uint64    // number since the module was loaded, from 1
	LoadID     uint64    // random number of one load of the module

	Host    string // the machine that received the event
	Family  string // generic netlink family
	Group   string // multicast group
	Message []byte // the text of genltest, without its terminating NUL; any bytes but NUL

	Canary  bool     // measures the latency, and is not for sinks; see genltestctl canary
	Content *Content // the message of another family; nil for genltest and for reports

	Origin   *Origin   // added to every event by the configuration; nil if nothing is added
	Captures []Capture // named parts of the text, extracted by a sink's rules

	Gap        *Gap        // not nil if this reports lost events
	Suppressed *Suppressed // not nil if this reports suppressed events
	Test       *Test       // not nil if this is a test of a sink, and not from the kernel
}

// An Origin describes where an event was received. Many events share it.
type Origin struct {
	MachineID     string // machine-id(5); empty unless configured
	BootID        string // of the boot in which the event was received; empty unless configured and known
	KernelRelease string // of the kernel at that time; likewise
	Labels        []Label
}

// A Label is a name and value that the operator assigned to the machine.
type Label struct{ Name, Value string }

// A Capture is the match of a named group of a regular expression.
type Capture struct {
	Name  string
	Value []byte // part of the text
}

// A Suppressed reports events that the sink's own rules did not deliver. It follows the
// last event of the period in which they were suppressed, and has the number of that
// event.
type Suppressed struct {
	Count    uint64
	Reason   string    // from the closed list of the metric sink_events_suppressed_total
	From, To time.Time // receipt of the first and last event, wall clock
}

// A Gap reports events that were multicast and not received. It is placed where the
// loss was noticed, or up to a second later.
type Gap struct {
	Count    uint64    // events lost
	Reason   string    // from the closed list of the metric events_lost_total
	From, To time.Time // when the loss was first and last noticed, wall clock
	LoadID   uint64    // the load of the module; 0 if not known
	First    uint64    // kernel sequence numbers of the first and last lost event;
	Last     uint64    // 0 if not known; events between them may have arrived
}

// A Test marks an event that an operator sends to one sink, to see whether its destination
// accepts events. It lacks the number in the journal and the fields of the module.
type Test struct {
	Sink   string // the name of the sink
	Number uint64 // random, so that each test has another id
}

// Kind returns "event", "gap", "suppressed", "test" or "canary".
func (e *Event) Kind() string {
	switch {
	case e.Gap != nil:
		return "gap"
	case e.Suppressed != nil:
		return "suppressed"
	case e.Test != nil:
		return "test"
	case e.Canary:
		return "canary"
	}
	return "event"
}

// Kinds returns the values of Kind of the events that rules evaluate: all except "test" and "canary".
func Kinds() []string { return []string{"event", "gap", "suppressed"} }

// ID returns the event's stable id, which is the same in every sink and at every retry:
// the journal's id and the event's number. The id of suppressed events has the number
// of the event before them, followed by the reason. That of a test has the number 0, followed
// by "test" and the number of the test.
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
	if e.Test != nil {
		dst = AppendLoadID(append(dst, "-test-"...), e.Test.Number)
	}
	return dst
}
