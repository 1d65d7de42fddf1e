// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A SinkState is one sink's account at one moment. Its numbers belong together:
// Events = Delivered + Dropped + InFlight + Waiting, in every scrape.
type SinkState struct {
	Name      string
	Events    uint64 // that the sink was or is to get
	Delivered uint64
	Dropped   uint64 // gone from the journal before the sink took them
	InFlight  uint64 // handed to the sink, not yet taken
	Waiting   uint64 // in the journal, not yet handed to the sink
	Failures  uint64 // attempts that failed
	LastError error  // of the last attempt; nil when it succeeded or there was none
}

type sinkCollector struct {
	states func() []SinkState
	descs  map[string]*prometheus.Desc
}

// RegisterSinks registers a collector that takes every sink's account by one
// call of states for each scrape.
func RegisterSinks(reg prometheus.Registerer, states func() []SinkState) error {
	c := &sinkCollector{states: states, descs: map[string]*prometheus.Desc{}}
	for name, help := range map[string]string{
		"events_total":           "Events that the sink was or is to get.",
		"events_delivered_total": "Events that the sink has taken.",
		"events_dropped_total":   "Events that the sink never got: the journal's limit was reached first, or they could not be read back.",
		"events_in_flight":       "Events handed to the sink that it has not taken yet.",
		"events_waiting":         "Events in the journal that were not yet handed to the sink.",
		"failures_total":         "Attempts to deliver that failed.",
		"healthy":                "1 while the last attempt to deliver succeeded.",
	} {
		c.descs[name] = prometheus.NewDesc(prometheus.BuildFQName(namespace, "sink", name), help, []string{"sink"}, nil)
	}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the sinks' metrics: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *sinkCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *sinkCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.states() {
		emit := func(name string, kind prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(c.descs[name], kind, v, s.Name)
		}
		emit("events_total", prometheus.CounterValue, float64(s.Events))
		emit("events_delivered_total", prometheus.CounterValue, float64(s.Delivered))
		emit("events_dropped_total", prometheus.CounterValue, float64(s.Dropped))
		emit("events_in_flight", prometheus.GaugeValue, float64(s.InFlight))
		emit("events_waiting", prometheus.GaugeValue, float64(s.Waiting))
		emit("failures_total", prometheus.CounterValue, float64(s.Failures))
		healthy := 1.0
		if s.LastError != nil {
			healthy = 0
		}
		emit("healthy", prometheus.GaugeValue, healthy)
	}
}
