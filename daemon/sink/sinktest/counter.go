// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"context"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Counter counts what a sink says was taken. It is for a place that can say what it
// has stored, and would lose what it has received and not stored when it breaks.
type Counter struct {
	sink.Sink
	taken int
}

// Deliver implements sink.Sink.
func (c *Counter) Deliver(ctx context.Context, events []event.Event) (int, error) {
	n, err := c.Sink.Deliver(ctx, events)
	c.taken += n
	return n, err
}

// AwaitStored waits until the place has all that was taken. It does not fail when that
// never comes: what is missing is for Run to find.
func (c *Counter) AwaitStored(t *testing.T, place Place) {
	t.Helper()
	stored := make(map[string]bool)
	for range 1000 {
		for _, e := range place.Taken(t) {
			stored[e.ID] = true
		}
		if len(stored) >= c.taken {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
