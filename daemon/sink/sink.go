// SPDX-License-Identifier: Apache-2.0

// Package sink is the contract between delivery and the places that events go
// to. Each kind of sink is a package below this one.
package sink

import (
	"context"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Sink takes events to one place. Delivery calls its methods from one
// goroutine and does everything around them: order, batches, retries, back-off,
// timeouts, metrics and logs.
type Sink interface {
	// Deliver makes one attempt to hand over events, in order. It returns how many
	// of them, from the first on, the other side has durably taken. err is nil if
	// and only if that is all of them. What was not taken is given again.
	//
	// The events and their bytes belong to the caller and must not be kept.
	Deliver(ctx context.Context, events []event.Event) (accepted int, err error)

	// Close frees what the sink holds. It is called once, after the last Deliver
	// has returned.
	Close() error
}
