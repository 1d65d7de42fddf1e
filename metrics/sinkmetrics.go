// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A sinkMetric is a metric of the state of a sink.
type sinkMetric struct {
	name, help string
	kind       prometheus.ValueType
	value      func(s *SinkState) float64           // nil if by is set
	by         func(s *SinkState) map[string]uint64 // values of the label reason
}

const (
	count = prometheus.CounterValue
	level = prometheus.GaugeValue
)

func sinkMetrics() []sinkMetric {
	plain := func(name string, kind prometheus.ValueType, value func(s *SinkState) float64, help string) sinkMetric {
		return sinkMetric{name: name, help: help, kind: kind, value: value}
	}
	return []sinkMetric{
		plain("events_total", count, func(s *SinkState) float64 { return float64(s.Events) },
			"Events that were read for the sink: the sum of delivered, filtered, suppressed, dropped, dead-lettered, in "+
				"flight and waiting, in every scrape."),
		plain("events_delivered_total", count, func(s *SinkState) float64 { return float64(s.Delivered) },
			"Events that the sink has accepted."),
		plain("events_filtered_total", count, func(s *SinkState) float64 { return float64(s.Filtered) },
			"Events that the filter of the sink rejected."),
		{
			name: "events_suppressed_total", kind: count, by: func(s *SinkState) map[string]uint64 { return s.Suppressed },
			help: "Events that another rule of the sink suppressed, by rule. canary: an event of genltestctl canary, which no sink receives.",
		},
		{
			name: "events_dropped_total", kind: count, by: func(s *SinkState) map[string]uint64 { return s.Dropped },
			help: "Events that were never delivered, by the limit that was reached first. journal: the limit of the journal, " +
				"or the events could not be read back. max_lag_bytes, max_age: the limits of the sink. skipped: an operator.",
		},
		plain("events_dead_lettered_total", count, func(s *SinkState) float64 { return float64(s.DeadLettered) },
			"Events that the sink has refused permanently."),
		plain("events_in_flight", level, func(s *SinkState) float64 { return float64(s.InFlight) },
			"Events that were read for the sink and do not have an outcome yet: those of running attempts and of the next batch."),
		plain("events_waiting", level, func(s *SinkState) float64 { return float64(s.Waiting) },
			"Events in the journal that were not yet read for the sink."),
		plain("behind_seconds", level, func(s *SinkState) float64 { return s.Behind.Seconds() },
			"Age of the oldest event that does not have an outcome for the sink yet; 0 without one. Steps of the wall clock do "+
				"not change it."),
		plain("lag_bytes", level, func(s *SinkState) float64 { return float64(s.LagBytes) },
			"Size of the journal after the cursor of the sink, to a frame of events."),
		plain("failures_total", count, func(s *SinkState) float64 { return float64(s.Failures) },
			"Attempts to deliver that failed."),
		plain("healthy", level, func(s *SinkState) float64 { return truth(len(s.Faults) == 0) },
			"1 unless the sink has a fault; sink_fault shows the reasons."),
		{
			name: "fault", kind: level, by: (*SinkState).byFault,
			help: "1 while the sink has this fault; docs/health.md explains each.",
		},
		plain("rule_errors_total", count, func(s *SinkState) float64 { return float64(s.RuleErrors) },
			"Times that an expression of the sink failed; the event was delivered."),
		plain("decode_errors_total", count, func(s *SinkState) float64 { return float64(s.Undecoded) },
			"Records of the journal that could not be decoded; the event was delivered with the fields that are known."),
		plain("summaries_total", count, func(s *SinkState) float64 { return float64(s.Summaries) },
			"Events of the kind suppressed that the sink has accepted."),
		plain("readers_missed_total", count, func(s *SinkState) float64 { return float64(s.Missed) },
			"Events that readers of a listening socket missed because they were too slow, one for each such reader."),
		plain("dead_letters", level, func(s *SinkState) float64 { return float64(s.DeadLetters) },
			"Stored dead letters."),
		plain("dead_letter_bytes", level, func(s *SinkState) float64 { return float64(s.DeadLetterBytes) },
			"Disk space of the dead letters of the sink."),
		plain("dead_letters_expired_total", count, func(s *SinkState) float64 { return float64(s.DeadLettersExpired) },
			"Dead letters that dead_letters.max_bytes or dead_letters.max_age has removed."),
		plain("dead_letters_replayed_total", count, func(s *SinkState) float64 { return float64(s.Replayed) },
			"Dead letters that were replayed successfully."),
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

type sinkCollector struct {
	states  func() []SinkState
	metrics []sinkMetric
	descs   []*prometheus.Desc
}

// RegisterSinks registers the metrics of all sinks. Each scrape calls states once.
func RegisterSinks(reg prometheus.Registerer, states func() []SinkState) error {
	c := &sinkCollector{states: states, metrics: sinkMetrics()}
	for _, m := range c.metrics {
		labels := []string{"sink"}
		if m.by != nil {
			labels = append(labels, "reason")
		}
		c.descs = append(c.descs, prometheus.NewDesc(prometheus.BuildFQName(namespace, "sink", m.name), m.help, labels, nil))
	}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the metrics of sinks: %w", err)
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
		for i, m := range c.metrics {
			if m.by == nil {
				ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, m.value(&s), s.Name)
				continue
			}
			for reason, n := range m.by(&s) {
				ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, float64(n), s.Name, reason)
			}
		}
	}
}
