// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// A canary is an event that measures the latency. The sink does not receive it, so the latency is
// the time until the sink would receive it: until all events before it have an outcome.
type canary struct {
	seq            uint64
	text           string
	received, sent time.Time
}

func canaryOf(e *event.Event) canary {
	return canary{e.Seq, string(e.Message), e.Time, e.KernelTime}
}

// reachCanary ends the wait for the canary. The caller must hold mu.
func (a *account) reachCanary() {
	c := a.canary
	a.canary = canary{}
	if a.reached != nil {
		ages := ages{clock: a.clock, now: a.clock.Steady(a.clock.Now())}
		a.reached(c.text, ages.of(c.received)+ages.transit(c.received, c.sent))
	}
}
