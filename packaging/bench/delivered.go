// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

// delivered is the result of one run of a delivery.
type delivered struct {
	fed       float64 // events a second into the journal
	perSecond float64 // events
	cpu       float64 // ns an event
	p50, p99  time.Duration
	ratio     float64 // of perSecond to that of the library in the same round; 0 without a comparison
}

// deliveredRounds are the rounds of one delivery.
type deliveredRounds []delivered

func (r deliveredRounds) span(value func(delivered) float64) span {
	values := make([]float64, len(r))
	for i := range r {
		values[i] = value(r[i])
	}
	return spanOf(values)
}

func (r deliveredRounds) fed() (rates []float64) {
	for _, d := range r {
		rates = append(rates, d.fed)
	}
	return rates
}

func (r deliveredRounds) perSecond() span {
	return r.span(func(d delivered) float64 { return d.perSecond })
}

func (r deliveredRounds) cpu() span { return r.span(func(d delivered) float64 { return d.cpu }) }
func (r deliveredRounds) ratio() span {
	return r.span(func(d delivered) float64 { return d.ratio })
}

func (r deliveredRounds) p50() span {
	return r.span(func(d delivered) float64 { return milliseconds(d.p50) })
}

func (r deliveredRounds) p99() span {
	return r.span(func(d delivered) float64 { return milliseconds(d.p99) })
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

// A goal is a requirement on the median of the rounds. A zero field is not a
// requirement.
type goal struct {
	perSecond float64       // events, at least
	ratio     float64       // to the library's own publisher, at least
	cpu       float64       // ns an event, at most
	p99       time.Duration // at most
}

func (g goal) String() string {
	var parts []string
	if g.perSecond > 0 {
		parts = append(parts, "≥ "+thousands(int(g.perSecond))+"/s")
	}
	if g.ratio > 0 {
		parts = append(parts, fmt.Sprintf("≥ %.1f ×", g.ratio))
	}
	if g.cpu > 0 {
		parts = append(parts, "CPU ≤ "+thousands(int(g.cpu))+" ns")
	}
	if g.p99 > 0 {
		parts = append(parts, fmt.Sprintf("p99 ≤ %v", g.p99))
	}
	return strings.Join(parts, "; ")
}

// holds returns the text for g in the table: empty without a goal.
func (g goal) holds(r deliveredRounds) string {
	switch {
	case g == goal{}:
		return ""
	case g.perSecond > r.perSecond().median, g.ratio > r.ratio().median, g.cpu > 0 && r.cpu().median > g.cpu,
		g.p99 > 0 && r.p99().median > milliseconds(g.p99):
		return "**no**"
	}
	return "yes"
}

// A deliveryRow is one line of the table, formatted.
type deliveryRow struct {
	Load, Sink, Batch, PerSecond, Ratio, CPU, P50, P99, Goal, Holds string
	Text                                                            int
}

func deliveryRows(list []delivery, sent []deliveredRounds) (rows []deliveryRow) {
	for i := range list {
		rows = append(rows, newDeliveryRow(list[i], sent[i]))
	}
	return rows
}

func newDeliveryRow(d delivery, r deliveredRounds) deliveryRow {
	cpu := r.cpu()
	row := deliveryRow{
		Load: d.name + slowest(r.fed(), d.load), Text: d.text, Sink: d.to.name, Batch: fmt.Sprintf("%d, %v", d.batch, d.wait),
		CPU: fmt.Sprintf("**%.0f** %.0f–%.0f", cpu.median, cpu.min, cpu.max), Goal: d.goal.String(), Holds: d.goal.holds(r),
	}
	if d.rate > 0 {
		row.P50, row.P99 = twoDigits(r.p50()), twoDigits(r.p99())
		return row
	}
	if ratio := r.ratio(); ratio.max > 0 {
		row.Ratio = twoDigits(ratio)
	}
	s := r.perSecond()
	row.PerSecond = fmt.Sprintf("**%s** %s–%s", thousands(int(s.median)), thousands(int(s.min)), thousands(int(s.max)))
	return row
}

func twoDigits(s span) string {
	return fmt.Sprintf("**%.2f** %.2f–%.2f", s.median, s.min, s.max)
}

// thousands formats a number with separators: 1,234,567.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
