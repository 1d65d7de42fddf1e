// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A loadForm is the load of the daemon between two statuses. Its JSON is documented and stable. Rates are per
// second, and null without an earlier status of the same process.
type loadForm struct {
	Time       time.Time    `json:"time"`
	Healthy    bool         `json:"healthy"`
	Bottleneck bottleneck   `json:"bottleneck"`
	Drops      []dropForm   `json:"drops"` // places that have dropped events
	Families   []familyLoad `json:"families"`
	Sinks      []sinkLoad   `json:"sinks"`
}

type familyLoad struct {
	Name     string   `json:"name"`
	Received *float64 `json:"received_per_second"`
	Lost     *float64 `json:"lost_per_second"`
	LostAll  uint64   `json:"lost"`
	buffer   int
}

type sinkLoad struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`
	Rate     *float64 `json:"delivered_per_second"`
	Failures *float64 `json:"failures_per_second"`
	P50      *float64 `json:"p50_seconds"` // latency of the events that were delivered in between; null without any
	P99      *float64 `json:"p99_seconds"`
	Waiting  uint64   `json:"waiting"`
	Behind   float64  `json:"behind_seconds"`
	incoming *float64 // events of the sink
}

// A dropForm is a place where events are dropped.
type dropForm struct {
	Stage  string   `json:"stage"`  // "receiver" or "sink"
	Name   string   `json:"name"`   // of the family or the sink
	Reason string   `json:"reason"` // as in Lost and Dropped of api.Status
	Events uint64   `json:"events"`
	Rate   *float64 `json:"per_second"`
}

// loadOf returns the load between two statuses. Before is nil if there is only one.
func loadOf(before, now *api.Status) *loadForm {
	seconds := 0.0
	if before != nil && before.Started.Equal(now.Started) {
		seconds = now.Time.Sub(before.Time).Seconds()
	}
	if seconds <= 0 {
		before, seconds = &api.Status{}, 0
	}
	rate := func(a, b uint64) *float64 {
		if seconds == 0 || b < a {
			return nil
		}
		r := float64(b-a) / seconds
		return &r
	}
	l := &loadForm{Time: now.Time, Healthy: now.Healthy, Drops: []dropForm{}, Families: []familyLoad{}, Sinks: []sinkLoad{}}
	drops := func(stage, name string, was, is map[string]uint64) {
		for _, reason := range slices.Sorted(maps.Keys(is)) {
			if is[reason] > 0 {
				l.Drops = append(l.Drops, dropForm{stage, name, reason, is[reason], rate(was[reason], is[reason])})
			}
		}
	}
	for i := range now.Families {
		f := &now.Families[i]
		was := find(before.Families, func(o *api.Family) bool { return o.Name == f.Name })
		l.Families = append(l.Families, familyLoad{
			f.Name, rate(was.Received, f.Received), rate(total(was.Lost), total(f.Lost)), total(f.Lost), f.BufferBytes,
		})
		drops("receiver", f.Name, was.Lost, f.Lost)
	}
	for i := range now.Sinks {
		s := &now.Sinks[i]
		was := find(before.Sinks, func(o *api.Sink) bool { return o.Name == s.Name })
		load := sinkLoad{
			Name: s.Name, State: s.State, Rate: rate(was.Delivered, s.Delivered), Failures: rate(was.Failures, s.Failures),
			Waiting: s.Waiting + s.InFlight, Behind: s.BehindS, incoming: rate(was.Events, s.Events),
		}
		if seconds > 0 {
			load.P50, load.P99 = quantile(&was.Latency, &s.Latency, 0.5), quantile(&was.Latency, &s.Latency, 0.99)
		}
		l.Sinks = append(l.Sinks, load)
		drops("sink", s.Name, was.Dropped, s.Dropped)
	}
	l.Bottleneck = bottleneckOf(now, l)
	return l
}

// find returns the first element of list that matches, or a zero one.
func find[T any](list []T, match func(*T) bool) *T {
	for i := range list {
		if match(&list[i]) {
			return &list[i]
		}
	}
	return new(T)
}

// quantile estimates a quantile of the events that were added between two distributions, in seconds. It assumes that
// the events of a bucket are evenly distributed. Of events beyond the last limit, it returns that limit. The result
// is nil if no event was added.
func quantile(before, now *api.Latency, q float64) *float64 {
	if now.Count <= before.Count {
		return nil
	}
	rank := q * float64(now.Count-before.Count)
	low, below := 0.0, 0.0
	for i, b := range now.Buckets {
		count := float64(b.Count)
		if i < len(before.Buckets) {
			count -= float64(before.Buckets[i].Count)
		}
		if count >= rank && count > below {
			value := low + (b.Seconds-low)*(rank-below)/(count-below)
			return &value
		}
		low, below = b.Seconds, count
	}
	return &low
}
