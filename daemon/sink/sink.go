// SPDX-License-Identifier: Apache-2.0

// Package sink is the contract between delivery and the kinds of sinks. Each kind is a package
// below this one, and passes the tests of package sinktest.
package sink

import (
	"context"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Sink delivers events to one place. Delivery calls its methods from one goroutine. It is
// responsible for everything around them: order, batches, retries, back-off, timeouts, dead
// letters, metrics and logs.
type Sink interface {
	// Deliver makes one attempt to deliver the events, in order, until the context ends. It
	// returns how many of them, from the first on, the other side has durably accepted. err is
	// nil if and only if these are all. Delivery passes the other events again, unless the
	// error is Permanent.
	//
	// The error must not contain a secret, or text of the other side that could act on a
	// terminal. Deliver must not retain the events or their bytes.
	Deliver(ctx context.Context, events []event.Event) (accepted int, err error)
	// Close releases the resources of the sink, including running operations of the other
	// side. It is called after the last Deliver has returned. Further calls do nothing.
	Close() error
}

// A Reopener is a Sink that holds files by name.
type Reopener interface {
	Sink
	// Reopen closes the files, and the next attempt opens the files that have the names then.
	// It does not wait for a running attempt. It is safe to call at any time, also while
	// another method runs.
	Reopen()
}

// A Broadcaster is a Sink that sends events to all connected readers.
type Broadcaster interface {
	Sink
	// Missed returns how many events readers have missed because they were too slow, counted
	// for each such reader. It is safe to call at any time.
	Missed() uint64
}
