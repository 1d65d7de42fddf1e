// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"context"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Counter counts the events that a sink reports as accepted. It is for a destination that can
// list its stored events, and that loses received but unstored events when it breaks.
type Counter struct {
	sink.Sink
	stored int
}

// Deliver implements sink.Sink.
func (c *Counter) Deliver(ctx context.Context, events []event.Event) (int, error) {
	n, err := c.Sink.Deliver(ctx, events)
	c.stored += n
	return n, err
}

// AwaitStored waits until the destination has stored all accepted events. It does not fail if
// that never happens: Run finds the missing events.
func (c *Counter) AwaitStored(t *testing.T, destination Destination) {
	t.Helper()
	stored := make(map[string]bool)
	for range 1000 {
		for _, e := range destination.Stored(t) {
			stored[e.ID] = true
		}
		if len(stored) >= c.stored {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
