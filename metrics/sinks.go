// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Why an event was dropped before its sink took it: the values of the label reason
// of sink_events_dropped_total.
const (
	DroppedJournal = "journal"       // the journal's limit was reached, or it was damaged
	DroppedAge     = "max_age"       // a limit of the sink
	DroppedLag     = "max_lag_bytes" // likewise
)

// The reasons why a sink is unhealthy: the values of the label reason of sink_fault. The
// documentation of package delivery describes when each begins and ends.
const (
	FaultOpen        = "open"         // its files below the state directory cannot be opened, and are tried again
	FaultAttempt     = "attempt"      // the last attempt failed, and will be made again
	FaultRefused     = "refused"      // every recent event was refused permanently
	FaultDeadLetters = "dead_letters" // the dead letters cannot be written or read
	FaultJournal     = "journal"      // the journal cannot be read
	FaultCursor      = "cursor"       // the sink's place in the journal cannot be written
	FaultDecode      = "decode"       // no recent event could be decoded
	FaultStalled     = "stalled"      // events wait without progress, for an unknown reason
)

// FaultReasons returns all of them, the most specific first.
func FaultReasons() []string {
	return []string{FaultOpen, FaultAttempt, FaultRefused, FaultDeadLetters, FaultJournal, FaultCursor, FaultDecode, FaultStalled}
}

// A SinkFault is one thing that is wrong with a sink.
type SinkFault struct {
	Reason string // one of FaultReasons
	Err    error
}

// A SinkState is one sink's account at one moment. Its numbers belong together:
// Events is the sum of Delivered, Filtered, Suppressed, Dropped, DeadLettered,
// InFlight and Waiting, in every scrape.
type SinkState struct {
	Name         string
	Events       uint64            // that are or were in the journal for the sink
	Delivered    uint64            // that the sink has taken
	Filtered     uint64            // that its filter did not let pass
	Suppressed   map[string]uint64 // that another rule kept from it, by reason
	Dropped      map[string]uint64 // by reason
	DeadLettered uint64            // that the sink has refused permanently
	InFlight     uint64            // handed to the sink, not yet taken
	Waiting      uint64            // in the journal, not yet handed to the sink

	Failures   uint64 // attempts that failed
	RuleErrors uint64 // expressions that failed; the event was delivered
	Undecoded  uint64 // records that could not be decoded; the event was delivered with its known fields
	Summaries  uint64 // deliveries of summaries of suppressed events
	Replayed   uint64 // dead letters that were taken after all
	LagBytes   int64  // of the journal, not yet taken
	Missed     uint64 // events that readers of the sink were too slow for, one for each

	Faults []SinkFault // at present, in the order of FaultReasons; empty for a healthy sink

	DeadLetters        uint64 // kept at present
	DeadLetterBytes    uint64
	DeadLettersExpired uint64 // that a limit of theirs has taken
}

// NewSinkState returns the state of a sink that has done nothing, with every label.
func NewSinkState(name string, suppressed []string) SinkState {
	s := SinkState{
		Name:       name,
		Dropped:    map[string]uint64{DroppedJournal: 0, DroppedAge: 0, DroppedLag: 0},
		Suppressed: make(map[string]uint64, len(suppressed)),
	}
	for _, reason := range suppressed {
		s.Suppressed[reason] = 0
	}
	return s
}

// AddFault adds what is wrong, in the order of FaultReasons. The first fault of a reason
// stays.
func (s *SinkState) AddFault(reason string, err error) {
	rank := func(f SinkFault) int { return slices.Index(FaultReasons(), f.Reason) }
	f := SinkFault{reason, err}
	at, found := slices.BinarySearchFunc(s.Faults, f, func(a, b SinkFault) int { return rank(a) - rank(b) })
	if !found {
		s.Faults = slices.Insert(s.Faults, at, f)
	}
}

// LastError returns the first fault's error, nil when the sink is healthy.
func (s *SinkState) LastError() error {
	if len(s.Faults) == 0 {
		return nil
	}
	return s.Faults[0].Err
}

// byFault returns 1 for each reason that makes the sink unhealthy, and 0 for the others.
func (s *SinkState) byFault() map[string]uint64 {
	by := make(map[string]uint64)
	for _, reason := range FaultReasons() {
		by[reason] = 0
	}
	for _, f := range s.Faults {
		by[f.Reason] = 1
	}
	return by
}

// A sinkMetric is one number of a sink's state.
type sinkMetric struct {
	name, help string
	kind       prometheus.ValueType
	value      func(s *SinkState) float64           // nil when by label
	by         func(s *SinkState) map[string]uint64 // values of the label reason
}

const (
	count = prometheus.CounterValue
	level = prometheus.GaugeValue
)

func sinkMetrics() []sinkMetric {
	plain := func(name, help string, kind prometheus.ValueType, value func(s *SinkState) float64) sinkMetric {
		return sinkMetric{name: name, help: help, kind: kind, value: value}
	}
	return []sinkMetric{
		plain("events_total", "Events that were read for the sink: the sum of delivered, filtered, suppressed, dropped, dead-lettered, in flight and waiting, in every scrape.", count, func(s *SinkState) float64 { return float64(s.Events) }),
		plain("events_delivered_total", "Events that the sink has accepted.", count, func(s *SinkState) float64 { return float64(s.Delivered) }),
		plain("events_filtered_total", "Events that the filter of the sink rejected.", count, func(s *SinkState) float64 { return float64(s.Filtered) }),
		{
			name: "events_suppressed_total", help: "Events that another rule of the sink suppressed, by rule.",
			kind: count, by: func(s *SinkState) map[string]uint64 { return s.Suppressed },
		},
		{
			name: "events_dropped_total", help: "Events that were never delivered, by the limit that was reached first. journal: the limit of the journal, or the events could not be read back. max_lag_bytes, max_age: the limits of the sink.",
			kind: count, by: func(s *SinkState) map[string]uint64 { return s.Dropped },
		},
		plain("events_dead_lettered_total", "Events that the sink has refused permanently.", count, func(s *SinkState) float64 { return float64(s.DeadLettered) }),
		plain("events_in_flight", "Events handed to the sink that it has not accepted yet.", level, func(s *SinkState) float64 { return float64(s.InFlight) }),
		plain("events_waiting", "Events in the journal that were not yet handed to the sink.", level, func(s *SinkState) float64 { return float64(s.Waiting) }),
		plain("lag_bytes", "Size of the journal after the cursor of the sink, to a frame of events.", level, func(s *SinkState) float64 { return float64(s.LagBytes) }),
		plain("failures_total", "Attempts to deliver that failed.", count, func(s *SinkState) float64 { return float64(s.Failures) }),
		plain("healthy", "1 while the sink is without fault; sink_fault shows the reasons.", level, func(s *SinkState) float64 { return truth(len(s.Faults) == 0) }),
		{
			name: "fault", help: "1 while the sink has this fault; docs/health.md explains each.",
			kind: level, by: (*SinkState).byFault,
		},
		plain("rule_errors_total", "Times that an expression of the sink failed; the event was delivered.", count, func(s *SinkState) float64 { return float64(s.RuleErrors) }),
		plain("decode_errors_total", "Records of the journal that could not be decoded; the event was delivered with the fields that are known.", count, func(s *SinkState) float64 { return float64(s.Undecoded) }),
		plain("summaries_total", "Events of the kind suppressed that the sink has accepted.", count, func(s *SinkState) float64 { return float64(s.Summaries) }),
		plain("readers_missed_total", "Events that readers of a listening socket missed because they were too slow, one for each such reader.", count, func(s *SinkState) float64 { return float64(s.Missed) }),
		plain("dead_letters", "Dead letters in store.", level, func(s *SinkState) float64 { return float64(s.DeadLetters) }),
		plain("dead_letter_bytes", "Disk space of the dead letters of the sink.", level, func(s *SinkState) float64 { return float64(s.DeadLetterBytes) }),
		plain("dead_letters_expired_total", "Dead letters that dead_letters.max_bytes or dead_letters.max_age has removed.", count, func(s *SinkState) float64 { return float64(s.DeadLettersExpired) }),
		plain("dead_letters_replayed_total", "Dead letters that were replayed successfully.", count, func(s *SinkState) float64 { return float64(s.Replayed) }),
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

// RegisterSinks registers a collector that reads the account of every sink by one
// call of states for each scrape.
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
