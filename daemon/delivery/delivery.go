// SPDX-License-Identifier: Apache-2.0

// Package delivery takes events from the journal to the sinks. Each sink has a
// worker and a reader of its own, so a slow or dead sink delays no other.
//
// A worker gathers what its rules let pass into a batch, and a lane makes attempts
// with it until each event has found its fate: taken by the sink, put with the dead
// letters, or dropped by a limit. Then the reader's cursor moves past it, in order,
// whatever order the lanes finish in.
//
// # Health
//
// A sink is unhealthy while one of its sources has a fault. Every error path of a worker
// is one of these sources, or leaves the sink healthy for the reason that is given:
//
//	error of                    fault           over when
//	Deliver, to be tried again  attempt         the next attempt succeeds
//	Deliver, permanent          refused, when   the sink takes an event, or is replaced
//	                            all recent are
//	Deliver that does not end   stalled         anything moves
//	DeadLetters.Add             dead_letters    it succeeds, or the sink takes the event
//	DeadLetters.NextReplay      dead_letters    it succeeds; tried again without events
//	DeadLetters.Remove          dead_letters    it succeeds; before any other attempt
//	Reader.Read and TryRead     journal         it succeeds, or there is nothing to read
//	Reader.Trim                 journal         it and the next read succeed
//	Reader.Commit               cursor          it succeeds; tried again without events
//	Decode                      decode, when    a record is decoded
//	                            all recent are
//	Rules.Evaluate              none: the event is delivered, and counted
//	Sink.Close, Reader.Close    none: the sink is no longer used; it is logged
//
// Each fault is in State, with the reason, and in the log. Nothing watches a worker in the
// background: State itself notices that it has stalled, from one call to the next.
package delivery

import (
	"context"
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
)

// Options are a worker's limits.
type Options struct {
	BatchEvents    int           // most events in one attempt
	BatchBytes     int           // most bytes of their texts, if there is more than one
	BatchWait      time.Duration // how long an event may wait for others
	AttemptTimeout time.Duration // given to one attempt by its context
	RetryMin       time.Duration // ceiling of the pause after the first failure
	RetryMax       time.Duration // ceiling of any pause, but for what the other side asks for
	MaxLagBytes    int64         // of the journal behind the cursor; 0 is no limit
	MaxAge         time.Duration // of an event that was not taken; 0 is no limit
}

// A Reader is what a worker needs of a *journal.Reader.
type Reader interface {
	Read(ctx context.Context, records []journal.Record) (n int, skipped uint64, err error)
	TryRead(records []journal.Record) (n int, skipped uint64, err error)
	Interrupt()
	Trim(maxBytes int64, oldest time.Time) (dropped uint64, err error) // oldest is a steady time
	Commit(last journal.Record) error
	Backlog() uint64
	Lag() int64
	Close() error
}

var _ Reader = (*journal.Reader)(nil)

// A Clock measures ages: see clock.Clock, which no step of the wall clock changes.
type Clock interface {
	Now() time.Time
	// Steady translates times of Now to a clock that is not stepped.
	Steady(t time.Time) time.Time
}

// wallClock trusts the wall clock.
type wallClock struct{}

func (wallClock) Now() time.Time               { return time.Now() }
func (wallClock) Steady(t time.Time) time.Time { return t }

// A Decoder turns a record into an event.
type Decoder func(journal.Record) (event.Event, error)

// Rules are what a worker needs of a *match.Rules.
type Rules interface {
	Evaluate(e *event.Event) (match.Verdict, error)
	Summaries(dst []event.Event, now time.Time, end bool) []event.Event
}

var _ Rules = (*match.Rules)(nil)

// DeadLetters are what a worker needs of a *deadletter.Box.
type DeadLetters interface {
	Add(letters ...deadletter.Letter) error
	Remove(ids ...deadletter.ID) (n int, err error)
	NextReplay(atMost int) ([]deadletter.Letter, error)
}

var _ DeadLetters = (*deadletter.Box)(nil)
