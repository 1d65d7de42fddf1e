// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsUseTheMedianOfRatiosPerRound(t *testing.T) {
	s := scenario{programs: []program{cBatch, cLibnl, intoJournal}}
	samples := func(cpu ...float64) (r result) {
		for _, ns := range cpu {
			r = append(r, sample{cpu: ns})
		}
		return r
	}
	// The machine was twice as slow in the second round.
	base, libnl := samples(100, 200, 100), samples(200, 400, 200)
	lossy := samples(150, 300, 150)
	lossy[1].lost, lossy[1].allocations = 1, 0.5
	everything := target{ratio: 1.6, below: cLibnl, lossless: true, noAllocations: true}
	tests := map[string]struct {
		r    result
		want []string
	}{
		"holds":                   {samples(150, 300, 150), nil},
		"one round does not miss": {samples(150, 300, 900), nil},
		"above the ratio":         {samples(170, 340, 170), []string{"ratio"}},
		"above libnl":             {samples(200, 400, 200), []string{"ratio", "below C, libnl"}},
		"worst round of losses":   {lossy, []string{"lost", "allocations"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := everything.missed(s, []result{base, libnl, test.r}, test.r)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("missed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMedianOfAnEvenNumber(t *testing.T) {
	if got := spanOf([]float64{4, 1, 3, 2}); got != (span{1, 2.5, 4}) {
		t.Errorf("span %v", got)
	}
}

// A busy machine must not prevent the report.
func TestMissedLoadIsReported(t *testing.T) {
	for want, rates := range map[string][]float64{
		"":                           {299_000, 310_000},
		" (busy machine: 214,100/s)": {299_000, 214_100},
	} {
		if got := slowest(rates, load{rate: 300_000}); got != want {
			t.Errorf("%v: %q, want %q", rates, got, want)
		}
	}
	if got := slowest([]float64{5}, load{}); got != "" {
		t.Errorf("without a rate: %q", got)
	}
}
