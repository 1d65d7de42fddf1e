// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func latency(counts ...uint64) api.Latency {
	l := api.Latency{}
	for i, limit := range []float64{0.001, 0.01, 0.1} {
		l.Buckets = append(l.Buckets, api.LatencyBucket{Seconds: limit, Count: counts[i]})
	}
	l.Count = counts[3]
	return l
}

func TestQuantilesAreOfTheEventsInBetween(t *testing.T) {
	before := latency(100, 100, 100, 100)
	for name, c := range map[string]struct {
		now  api.Latency
		q    float64
		want float64 // NaN without an event
	}{
		"no event":               {before, 0.5, math.NaN()},
		"after a restart":        {latency(1, 1, 1, 1), 0.5, math.NaN()},
		"in the first bucket":    {latency(110, 110, 110, 110), 0.5, 0.0005},
		"in the second bucket":   {latency(100, 110, 110, 110), 0.5, 0.0055},
		"across two buckets":     {latency(105, 110, 110, 110), 0.99, 0.001 + 0.009*(9.9-5)/5},
		"beyond the last bucket": {latency(100, 100, 100, 110), 0.99, 0.1},
	} {
		got := math.NaN()
		if q := quantile(&before, &c.now, c.q); q != nil {
			got = *q
		}
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %g, want %g", name, got, c.want)
		}
	}
	if q := quantile(new(api.Latency), &before, 0.5); q == nil || *q != 0.0005 {
		t.Errorf("of a new sink: got %v", q)
	}
}

// later returns a status two seconds after healthyStatus, and changes it.
func later(change func(*api.Status)) *api.Status {
	st := healthyStatus()
	st.Time = st.Time.Add(2 * time.Second)
	change(st)
	return st
}

func TestBottleneckIsTheFirstStageThatLimits(t *testing.T) {
	slow := func(st *api.Status) {
		s := &st.Sinks[0]
		s.State, s.Events, s.Delivered, s.Waiting, s.BehindS = api.SinkDelivering, s.Events+200, s.Delivered+100, 100, 12
	}
	refused := func(st *api.Status) {
		st.Sinks = append(st.Sinks, api.Sink{Name: "hook", State: api.SinkRetrying, Waiting: 3, BehindS: 5})
	}
	lost := func(st *api.Status) { st.Families[0].Lost = map[string]uint64{"kernel_buffer": 34} }
	stopped := func(st *api.Status) { st.Journal.Accepting = false }
	for _, c := range []struct {
		name        string
		changes     []func(*api.Status)
		stage, text string
	}{
		{"none", nil, "", "each stage keeps up"},
		{"a slow sink", []func(*api.Status){slow}, "sink", "sink archive accepts 50 of 100 events/s: 100 events waiting, 12s behind"},
		{
			"a backlog",
			[]func(*api.Status){slow, func(st *api.Status) { st.Sinks[0].Events -= 150 }},
			"sink",
			"sink archive reduces its backlog: 100 events waiting, 12s behind",
		},
		{"a refusal before a slow sink", []func(*api.Status){slow, refused}, "sink", "sink hook is retrying: 3 events waiting, 5s behind"},
		{
			"losses before a refusal",
			[]func(*api.Status){refused, lost},
			"kernel buffer",
			"the kernel buffer of genltest overflows and loses 17 events/s: increase receiver.buffer",
		},
		{
			"the journal before losses",
			[]func(*api.Status){lost, refused, stopped},
			"journal",
			"the journal does not accept events, so the receive buffers become full",
		},
	} {
		now := later(func(st *api.Status) {
			for _, change := range c.changes {
				change(st)
			}
		})
		if got := loadOf(healthyStatus(), now).Bottleneck; got.Stage != c.stage || got.Text != c.text {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestRatesAreUnknownAfterARestart(t *testing.T) {
	for name, before := range map[string]*api.Status{
		"first status": nil,
		"restart":      {Started: healthyStatus().Started.Add(-time.Hour), Time: healthyStatus().Time.Add(-time.Second)},
	} {
		l := loadOf(before, healthyStatus())
		if l.Families[0].Received != nil || l.Sinks[0].Rate != nil || l.Sinks[0].P50 != nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
	l := loadOf(healthyStatus(), later(func(st *api.Status) { st.Families[0].Received += 10 }))
	if r := l.Families[0].Received; r == nil || *r != 5 {
		t.Errorf("without a restart: %v", r)
	}
}

func TestRatesAndLatenciesAreShort(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 0.01: "<0.1", 0.25: "0.2", 9.96: "10", 1234: "1234", 123456: "123k", 2.5e6: "2.5M"} {
		if got := rateText(&rate); got != want {
			t.Errorf("rate %g: got %s, want %s", rate, got, want)
		}
	}
	for seconds, want := range map[float64]string{0.0004: "0.4ms", 0.0123: "12ms", 0.25: "250ms", 1.25: "1.3s", 75: "1m15s"} {
		if got := latencyText(&seconds); got != want {
			t.Errorf("latency %g: got %s, want %s", seconds, got, want)
		}
	}
}
