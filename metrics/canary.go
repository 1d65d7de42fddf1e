// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A CanaryState is the progress of the last canary.
type CanaryState struct {
	Requested time.Time // zero before the first canary
	Sinks     []CanarySink
}

// A CanarySink is the latency of one sink, or for how long it has not reached a canary.
type CanarySink struct {
	Name    string
	Latency time.Duration
}

type canaryCollector struct {
	state              func() CanaryState
	latency, requested *prometheus.Desc
}

// RegisterCanary registers the metrics of canaries. Each scrape calls state once. Without a canary,
// the latency does not have series: 0 would be a good one.
func RegisterCanary(reg prometheus.Registerer, state func() CanaryState) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "canary", name), help, labels, nil)
	}
	c := &canaryCollector{
		state: state,
		latency: desc("latency_seconds", "Time from the trigger of the last canary until the sink has reached it: until all events "+
			"before it have an outcome. Until then it is the time since the request, or since that of an earlier canary that the sink "+
			"has not reached. The series begin with the first genltestctl canary after the start of the daemon.", "sink"),
		requested: desc("last_timestamp_seconds", "Time of the last genltestctl canary since the start of the daemon, in seconds since "+
			"1970, or 0."),
	}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the metrics of canaries: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *canaryCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.latency
	ch <- c.requested
}

// Collect implements prometheus.Collector.
func (c *canaryCollector) Collect(ch chan<- prometheus.Metric) {
	s, requested := c.state(), 0.0
	if !s.Requested.IsZero() {
		requested = float64(s.Requested.UnixMilli()) / 1000
	}
	ch <- prometheus.MustNewConstMetric(c.requested, level, requested)
	for _, sink := range s.Sinks {
		ch <- prometheus.MustNewConstMetric(c.latency, level, sink.Latency.Seconds(), sink.Name)
	}
}
