// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A result contains the samples of one program under one load, one per round.
type result []sample

// A span is the range of values.
type span struct{ min, median, max float64 }

func spanOf(values []float64) span {
	slices.Sort(values)
	n := len(values)
	return span{values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]}
}

func (r result) cpu() span {
	var values []float64
	for _, s := range r {
		values = append(values, s.cpu)
	}
	return spanOf(values)
}

// ratio compares with base, round by round.
func (r result) ratio(base result) span {
	var values []float64
	for i, s := range r {
		values = append(values, s.cpu/base[i].cpu)
	}
	return spanOf(values)
}

func (r result) lost() (most int) {
	for _, s := range r {
		most = max(most, s.lost)
	}
	return most
}

func (r result) allocations() (most float64) {
	for _, s := range r {
		most = max(most, s.allocations)
	}
	return most
}

func (r result) sent() (rates []float64) {
	for _, s := range r {
		rates = append(rates, s.sent)
	}
	return rates
}

// A target is a requirement on a program under a load. A zero field is not a
// requirement.
type target struct {
	ratio         float64 // the median of the CPU time an event, compared with the first program
	below         program // uses more CPU time
	lossless      bool
	noAllocations bool // per event; start and stop allocate a few dozen times
}

const allocationsOfStart = 0.001

func (t target) String() string {
	var parts []string
	if t.ratio > 0 {
		parts = append(parts, fmt.Sprintf("≤ %.2f", t.ratio))
	}
	if t.below.name != "" {
		parts = append(parts, "below "+t.below.name)
	}
	if t.lossless {
		parts = append(parts, "0 lost")
	}
	if t.noAllocations {
		parts = append(parts, "0 allocations")
	}
	return strings.Join(parts, "; ")
}

// missed returns the requirements of t that the result r of a program of s does not
// meet.
func (t target) missed(s scenario, results []result, r result) []string {
	var missed []string
	if t.ratio > 0 && r.ratio(results[0]).median > t.ratio {
		missed = append(missed, "ratio")
	}
	if t.below.name != "" && r.ratio(results[slices.Index(s.programs, t.below)]).median >= 1 {
		missed = append(missed, "below "+t.below.name)
	}
	if t.lossless && r.lost() > 0 {
		missed = append(missed, "lost")
	}
	if t.noAllocations && r.allocations() > allocationsOfStart {
		missed = append(missed, "allocations")
	}
	return missed
}
