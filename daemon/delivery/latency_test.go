// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/genltestd/genltestd/daemon/event"
)

// A timeline is a wall clock that was stepped forward by an hour at zero.
type timeline struct{ zero time.Time }

func (c timeline) Now() time.Time { return c.zero.Add(10 * time.Second) }

func (c timeline) Steady(t time.Time) time.Time {
	if t.Before(c.zero) {
		return t.Add(time.Hour)
	}
	return t
}

func TestLatencyAndExemplars(t *testing.T) {
	zero := time.Unix(1_000_000, 0)
	tests := map[string]struct {
		sent             time.Time // zero without a time stamp
		wantEndToEnd     float64
		wantSinceReceipt float64
	}{
		"no time stamp":                   {wantEndToEnd: 10, wantSinceReceipt: 10},
		"waited in the socket":            {sent: zero.Add(-50 * time.Millisecond), wantEndToEnd: 10.05, wantSinceReceipt: 10},
		"the clock was stepped forward":   {sent: zero.Add(-time.Hour - 2*time.Second), wantEndToEnd: 12, wantSinceReceipt: 10},
		"the clock was stepped backwards": {sent: zero.Add(time.Minute), wantEndToEnd: 10, wantSinceReceipt: 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			options := prometheus.HistogramOpts{Name: "x", Buckets: []float64{1}}
			receipt, endToEnd := prometheus.NewHistogram(options), prometheus.NewHistogram(options)
			l := latency{sinceReceipt: receipt, endToEnd: endToEnd}
			clock := timeline{zero}
			ages := &ages{clock: clock, now: clock.Steady(clock.Now())}
			for seq := range uint64(3) {
				l.observe(zero, &event.Event{JournalID: "j", Seq: 7 + seq, KernelTime: tt.sent}, ages)
			}
			for h, want := range map[prometheus.Histogram]float64{receipt: tt.wantSinceReceipt, endToEnd: tt.wantEndToEnd} {
				got := histogramOf(t, h)
				if n, sum := got.GetSampleCount(), got.GetSampleSum(); n != 3 || sum < 3*want-1e-6 || sum > 3*want+1e-6 {
					t.Errorf("%d events, %v seconds, want 3 of %v", n, sum, want)
				}
				last := got.Bucket[len(got.Bucket)-1].GetExemplar()
				if labels := last.GetLabel(); len(labels) != 1 || labels[0].GetName() != "event" || labels[0].GetValue() != "j-7" {
					t.Errorf("exemplar %v", last)
				}
			}
		})
	}
}

func histogramOf(t *testing.T, h prometheus.Histogram) *dto.Histogram {
	t.Helper()
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetHistogram()
}

func TestAnObservedEventDoesNotAllocate(t *testing.T) {
	zero := time.Unix(1_000_000, 0)
	options := prometheus.HistogramOpts{Name: "x", NativeHistogramBucketFactor: 1.1}
	l := latency{sinceReceipt: prometheus.NewHistogram(options), endToEnd: prometheus.NewHistogram(options)}
	clock := timeline{zero}
	ages := &ages{clock: clock, now: clock.Now(), hasExemplar: true}
	e := &event.Event{KernelTime: zero.Add(-time.Millisecond)}
	l.observe(zero, e, ages) // creates the bucket
	if n := testing.AllocsPerRun(100, func() { l.observe(zero, e, ages) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
