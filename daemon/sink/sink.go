// SPDX-License-Identifier: Apache-2.0

// Package sink is the contract between delivery and the places that events go
// to. Each kind of sink is a package below this one, and passes the tests of
// package sinktest.
package sink

import (
	"context"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Sink takes events to one place. Delivery calls its methods from one
// goroutine and does everything around them: order, batches, retries, back-off,
// timeouts, dead letters, metrics and logs.
type Sink interface {
	// Deliver makes one attempt to hand over events, in order, until the context
	// ends. It returns how many of them, from the first on, the other side has
	// durably taken. err is nil if and only if that is all of them. What was not
	// taken is given again, unless the error is Permanent.
	//
	// The error must not contain a secret, nor text that could act on a terminal
	// where it comes from the other side. The events and their bytes belong to the
	// caller and must not be kept.
	Deliver(ctx context.Context, events []event.Event) (accepted int, err error)
	// Close frees what the sink holds, also what is under way at the other side. It
	// is called after the last Deliver has returned, perhaps more than once; all
	// but the first do nothing.
	Close() error
}

// A Reopener is a Sink that holds files by name.
type Reopener interface {
	Sink
	// Reopen closes them, and the next attempt opens what then has the name. It does
	// not wait for an attempt that is under way, and may be called at any time, also
	// while another method runs.
	Reopen()
}

// A Broadcaster is a Sink that gives events to whoever is there to read them.
type Broadcaster interface {
	Sink
	// Missed returns how many events some reader did not get because it was too slow,
	// one for each such reader. It may be called at any time.
	Missed() uint64
}
