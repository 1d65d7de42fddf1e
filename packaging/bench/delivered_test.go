// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoalsUseTheMedian(t *testing.T) {
	both := goal{perSecond: 300_000, p99: 10 * time.Millisecond}
	fast := delivered{perSecond: 400_000, p99: time.Millisecond}
	slow := delivered{perSecond: 200_000, p99: time.Millisecond}
	late := delivered{perSecond: 400_000, p99: 11 * time.Millisecond}
	tests := map[string]struct {
		g    goal
		r    deliveredRounds
		want string
	}{
		"holds":                           {both, deliveredRounds{fast, fast, fast}, "yes"},
		"one round does not miss":         {both, deliveredRounds{fast, slow, fast}, "yes"},
		"too few a second":                {both, deliveredRounds{slow, slow, fast}, "**no**"},
		"too late":                        {both, deliveredRounds{late, fast, late}, "**no**"},
		"late without a goal for latency": {goal{perSecond: 300_000}, deliveredRounds{late}, "yes"},
		"slower than the library":         {goal{ratio: 0.8}, deliveredRounds{{ratio: 0.7}, {ratio: 0.79}, {ratio: 1}}, "**no**"},
		"not much slower":                 {goal{ratio: 0.8}, deliveredRounds{{ratio: 0.7}, {ratio: 0.8}, {ratio: 1}}, "yes"},
		"no goal":                         {goal{}, deliveredRounds{slow}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.g.holds(test.r); got != test.want {
				t.Errorf("holds %q, want %q", got, test.want)
			}
		})
	}
}

func TestDeliveriesHaveTheirOwnRowFormat(t *testing.T) {
	r := deliveredRounds{
		{fed: 1000, perSecond: 1_250_000.4, cpu: 900, p50: 250 * time.Microsecond, p99: 3 * time.Millisecond},
		{fed: 1000, perSecond: 999, cpu: 800, p50: 150 * time.Microsecond, p99: 2 * time.Millisecond},
		{fed: 995, perSecond: 1000, cpu: 700, p50: 200 * time.Microsecond, p99: time.Millisecond},
	}
	backlog := delivery{load: load{name: "backlog", text: 64}, to: toFile, batch: 1000, wait: defaultWait, goal: goal{perSecond: 300_000}}
	live := delivery{load: load{name: "live", text: 512, rate: 1000}, to: toSocket, batch: 500, goal: goal{p99: 10 * time.Millisecond}}
	want := []deliveryRow{
		{
			Load: "backlog", Sink: "`file`", Batch: "1000, 50ms", PerSecond: "**1,000** 999–1,250,000", CPU: "**800** 700–900",
			Goal: "≥ 300,000/s", Holds: "**no**", Text: 64,
		},
		{
			Load: "live", Sink: "`socket`", Batch: "500, 0s", CPU: "**800** 700–900", P50: "**0.20** 0.15–0.25", P99: "**2.00** 1.00–3.00",
			Goal: "p99 ≤ 10ms", Holds: "yes", Text: 512,
		},
	}
	if diff := cmp.Diff(want, []deliveryRow{newDeliveryRow(backlog, r), newDeliveryRow(live, r)}); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestRatioIsThatOfTheSameLoadAndRound(t *testing.T) {
	small, large := load{name: "backlog", text: 64}, load{name: "backlog", text: 512}
	list := []delivery{{load: small, to: natsLibrary}, {load: large, to: natsLibrary}, {load: small, to: toNATS}, {load: small, to: toFile}}
	sent := []deliveredRounds{{{perSecond: 1}, {perSecond: 100}}, {{perSecond: 7}}, nil, nil}
	if got := ratioOf(delivered{perSecond: 80}, list[2], list, sent); got != 0.8 {
		t.Errorf("%v, want 0.8", got)
	}
	if got := ratioOf(delivered{perSecond: 80}, list[3], list, sent); got != 0 {
		t.Errorf("%v without a library", got)
	}
}
