// SPDX-License-Identifier: Apache-2.0

// Package delivery sends events from the journal to the sinks. Each sink has its own
// worker and its own reader, so a slow or broken sink does not delay another.
//
// A worker reads records, applies the rules of its sink and fills batches: one while its senders
// deliver others. A sender makes attempts with a batch until every event has an outcome:
// delivered, written to the dead letters, or dropped by a limit. The reader's cursor moves past
// events in journal order, also when several senders finish their batches in a different order.
//
// # Health
//
// A sink is unhealthy while one of its sources has a fault. Each error path of a worker
// belongs to a source, or leaves the sink healthy for the reason in the table:
//
//	error of                     fault           cleared when
//	no error: Pause was called   paused          Resume is called
//	Deliver, temporary           attempt, or     the next attempt succeeds
//	                             certificate
//	Deliver, after its timeout   timeout         the next attempt succeeds
//	Deliver, permanent           refused, when   the sink accepts an event, or is replaced
//	                             all recent are
//	Deliver that does not return stalled         it returns, or the account changes
//	DeadLetters.Add              dead_letters    it succeeds, or the sink accepts the event
//	DeadLetters.NextReplay       dead_letters    it succeeds; retried without events
//	DeadLetters.Remove           dead_letters    it succeeds; before any other attempt
//	Reader.Read and TryRead      journal         it succeeds, or all records are read
//	Reader.Trim                  journal         it and the next read succeed
//	Reader.Commit                cursor          it succeeds; retried without events
//	Decode                       decode, when    a record is decoded
//	                             all recent are
//	Rules.Evaluate               no fault        the event is delivered, and counted
//	Sink.Close, Reader.Close     no fault        logged; the sink is no longer used
//
// State contains each fault with its reason, and the log shows it. No goroutine watches a
// worker: State detects a stall by comparing the account with the one of an earlier call.
package delivery

import (
	"context"
	"time"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
)

// Options are the limits of a worker.
type Options struct {
	BatchEvents    int           // maximum events in one attempt
	BatchBytes     int           // maximum bytes of their texts, if there are several events
	BatchWait      time.Duration // maximum time that an event waits for others
	AttemptTimeout time.Duration // timeout of one attempt, set in its context
	RetryMin       time.Duration // maximum pause after the first failure
	RetryMax       time.Duration // maximum pause, except where the server requests a longer one
	MaxLagBytes    int64         // maximum journal bytes after the cursor; 0 means unlimited
	MaxAge         time.Duration // maximum age of an undelivered event; 0 means unlimited
}

// A Reader is the part of a *journal.Reader that a worker uses.
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

// A Clock measures ages independently of steps of the wall clock; see clock.Clock.
type Clock interface {
	Now() time.Time
	// Steady converts a time that Now returned to a clock that is never stepped.
	Steady(t time.Time) time.Time
}

// wallClock trusts the wall clock.
type wallClock struct{}

func (wallClock) Now() time.Time               { return time.Now() }
func (wallClock) Steady(t time.Time) time.Time { return t }

// A Decoder converts a record to an event.
type Decoder func(journal.Record) (event.Event, error)

// Rules is the part of a *match.Rules that a worker uses.
type Rules interface {
	Evaluate(e *event.Event) (match.Verdict, error)
	Summaries(dst []event.Event, now time.Time, end bool) []event.Event
	SetNoCaptures(e *event.Event) // called concurrently with the others
}

var _ Rules = (*match.Rules)(nil)

// DeadLetters is the part of a *deadletter.Box that a worker uses.
type DeadLetters interface {
	Add(letters ...deadletter.Letter) error
	Remove(ids ...deadletter.ID) (n int, err error)
	NextReplay(atMost int) ([]deadletter.Letter, error)
}

var _ DeadLetters = (*deadletter.Box)(nil)
