// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/event"
)

// A latency observes how long delivered events took, in seconds.
type latency struct {
	sinceReceipt prometheus.Observer
	endToEnd     prometheus.Observer // since the time stamp of the kernel, or since the receipt without one
}

// observe adds a delivered event. The first event that uses ages is also the exemplar of its
// buckets: an exemplar for each event would allocate.
func (l latency) observe(received time.Time, e *event.Event, ages *ages) {
	age := ages.of(received)
	var exemplar prometheus.Labels
	if !ages.hasExemplar {
		ages.hasExemplar = true
		exemplar = prometheus.Labels{"event": e.ID()}
	}
	observe(l.sinceReceipt, age, exemplar)
	observe(l.endToEnd, age+ages.transit(received, e.KernelTime), exemplar)
}

func observe(o prometheus.Observer, d time.Duration, exemplar prometheus.Labels) {
	if with, ok := o.(prometheus.ExemplarObserver); ok && exemplar != nil {
		with.ObserveWithExemplar(d.Seconds(), exemplar)
		return
	}
	o.Observe(d.Seconds())
}

// ages computes the ages of events. It caches the last one, because most events of a batch
// were received at the same time.
type ages struct {
	clock       Clock
	now         time.Time // steady
	received    time.Time // of the cached event
	age         time.Duration
	hasExemplar bool // an event is the exemplar already
}

func (a *ages) of(received time.Time) time.Duration {
	if !a.received.Equal(received) {
		a.received, a.age = received, max(0, a.now.Sub(a.clock.Steady(received)))
	}
	return a.age
}

// maxUnchecked is the longest transit for which no step of the wall clock is considered. It is
// below the smallest step that a clock.Clock detects.
const maxUnchecked = 100 * time.Millisecond

// transit returns the time from the time stamp of the kernel until the receipt, or 0 without
// a time stamp. Both are times of the wall clock, which can be stepped between them.
func (a *ages) transit(received, sent time.Time) time.Duration {
	if sent.IsZero() {
		return 0
	}
	d := received.Sub(sent)
	if d > maxUnchecked {
		d = a.clock.Steady(received).Sub(a.clock.Steady(sent))
	}
	return max(0, d)
}
