// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"time"
)

// The reasons why an event was dropped before its sink accepted it: the values of the label
// reason of sink_events_dropped_total.
const (
	DroppedJournal = "journal"       // the journal's limit was reached, or it was damaged
	DroppedAge     = "max_age"       // the limit of the sink was reached
	DroppedLag     = "max_lag_bytes" // the limit of the sink was reached
	DroppedSkipped = "skipped"       // an operator skipped it
)

// SuppressedCanary is the reason for which no sink receives a canary. The others are rules.
const SuppressedCanary = "canary"

// The reasons why a sink is unhealthy: the values of the label reason of sink_fault. The
// documentation of package delivery describes when each begins and ends.
const (
	FaultOpen        = "open"         // its files below the state directory cannot be opened; this is retried
	FaultPaused      = "paused"       // an operator paused the sink
	FaultCertificate = "certificate"  // the last attempt failed: the certificate of the other side was not accepted
	FaultTimeout     = "timeout"      // the last attempt was not finished in time
	FaultAttempt     = "attempt"      // the last attempt failed for another reason, and will be retried
	FaultRefused     = "refused"      // every recent event was refused permanently
	FaultDeadLetters = "dead_letters" // the dead letters cannot be written or read
	FaultJournal     = "journal"      // the journal cannot be read
	FaultCursor      = "cursor"       // the cursor of the sink cannot be written
	FaultDecode      = "decode"       // no recent event could be decoded
	FaultStalled     = "stalled"      // events wait without progress, for an unknown reason
)

// FaultReasons returns all reasons, the most specific first.
func FaultReasons() []string {
	return []string{
		FaultOpen, FaultPaused, FaultCertificate, FaultTimeout, FaultAttempt, FaultRefused, FaultDeadLetters, FaultJournal,
		FaultCursor, FaultDecode, FaultStalled,
	}
}

// IsRetried reports whether a reason is that an attempt failed and will be retried.
func IsRetried(reason string) bool {
	return reason == FaultCertificate || reason == FaultTimeout || reason == FaultAttempt
}

// A SinkFault is a reason why a sink is unhealthy.
type SinkFault struct {
	Reason string // one of FaultReasons
	Err    error
	Since  time.Time // zero if unknown
}

// A SinkState contains the counters of a sink at one time. Events is always the sum of
// Delivered, Filtered, Suppressed, Dropped, DeadLettered, InFlight and Waiting.
type SinkState struct {
	Name         string
	Events       uint64            // read for the sink, or waiting for it
	Delivered    uint64            // accepted by the sink
	Filtered     uint64            // rejected by its filter
	Suppressed   map[string]uint64 // suppressed by another rule, by reason
	Dropped      map[string]uint64 // by reason
	DeadLettered uint64            // refused permanently by the sink
	InFlight     uint64            // read for the sink, without an outcome yet
	Waiting      uint64            // in the journal, not yet read for the sink

	Failures   uint64 // attempts that failed
	RuleErrors uint64 // expressions that failed; the event was delivered
	Undecoded  uint64 // records that could not be decoded; the event was delivered with its known fields
	Summaries  uint64 // deliveries of summaries of suppressed events
	Replayed   uint64 // dead letters that were replayed successfully
	LagBytes   int64  // of the journal after the cursor
	Missed     uint64 // events that readers of the sink missed because they were too slow

	// The zero time in these fields means never.
	LastFailure   error     // of the last attempt or other operation that failed, also after it has succeeded since
	LastFailureAt time.Time // of LastFailure
	NextAttempt   time.Time // while the sink waits before another attempt
	LastDelivery  time.Time // when the sink last accepted an event
	// OldestInFlight is the time of receipt of the oldest event that was read for the sink and
	// whose outcome is open.
	OldestInFlight time.Time
	// Behind is the age of the oldest event whose outcome is open; 0 without one, and while its time
	// of receipt is unknown. Only the methods of pipeline.Set that may read the journal set it.
	Behind time.Duration

	Faults []SinkFault // current faults, in the order of FaultReasons; empty for a healthy sink

	DeadLetters        uint64 // stored
	DeadLetterBytes    uint64
	DeadLettersExpired uint64 // removed because of a limit
}

// NewSinkState returns a state with all labels, at zero. suppressed are the rules that suppress events.
func NewSinkState(name string, suppressed []string) SinkState {
	s := SinkState{
		Name:       name,
		Dropped:    map[string]uint64{DroppedJournal: 0, DroppedAge: 0, DroppedLag: 0, DroppedSkipped: 0},
		Suppressed: map[string]uint64{SuppressedCanary: 0},
	}
	for _, reason := range suppressed {
		s.Suppressed[reason] = 0
	}
	return s
}

// AddFault adds a fault, in the order of FaultReasons. It keeps an earlier fault with the
// same reason.
func (s *SinkState) AddFault(f SinkFault) {
	rank := func(f SinkFault) int { return slices.Index(FaultReasons(), f.Reason) }
	at, found := slices.BinarySearchFunc(s.Faults, f, func(a, b SinkFault) int { return rank(a) - rank(b) })
	if !found {
		s.Faults = slices.Insert(s.Faults, at, f)
	}
}

// LastError returns the error of the first fault, or nil if the sink is healthy.
func (s *SinkState) LastError() error {
	if len(s.Faults) == 0 {
		return nil
	}
	return s.Faults[0].Err
}

// byFault returns 1 for each reason that makes the sink unhealthy, and 0 for the others.
func (s *SinkState) byFault() map[string]uint64 {
	by := make(map[string]uint64)
	for _, reason := range FaultReasons() {
		by[reason] = 0
	}
	for _, f := range s.Faults {
		by[f.Reason] = 1
	}
	return by
}
