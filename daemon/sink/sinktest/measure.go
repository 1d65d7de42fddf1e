// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"testing"

	"github.com/genltestd/genltestd/daemon/sink"
)

// Measure is the loop of a benchmark: one operation is a batch of that many events.
func Measure(b *testing.B, s sink.Sink, batch int) {
	b.Helper()
	events := Events(1, batch)
	for b.Loop() {
		if n, err := s.Deliver(b.Context(), events); err != nil {
			b.Fatalf("accepted %d events, %v", n, err)
		}
	}
	b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
