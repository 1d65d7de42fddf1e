// SPDX-License-Identifier: Apache-2.0

// Package metrics defines all metrics of the daemon. Every series exists, at zero, from the
// start, except for the latency of canaries. Label values are constants or names of sinks, and never texts of events.
package metrics

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "genltestd"

// Metrics contains the instruments of the daemon. They are safe for concurrent use.
type Metrics struct {
	SinkLatency  *prometheus.HistogramVec // seconds from the receipt, by sink
	SinkEndToEnd *prometheus.HistogramVec // seconds from the time stamp of the module, by sink
	StateFault   *prometheus.GaugeVec     // by file: 1 while it cannot be read or written
	StateDamaged *prometheus.CounterVec   // by file: times that it was damaged
	Undecoded    *prometheus.CounterVec   // by family, except genltest
	ClockSteps   prometheus.Counter
}

// The small files of the state directory.
const (
	FileBoots        = "boots"
	FileClock        = "clock"
	FileRemovedSinks = "removed_sinks"
	FilePausedSinks  = "paused_sinks"
	FileInbox        = "inbox"
	FileDeadLetters  = "dead_letters" // a directory for each sink
)

// New registers the metrics of the process, of the state directory and of the latency of
// sinks with reg.
func New(reg prometheus.Registerer, version string) *Metrics {
	m := &Metrics{
		SinkLatency: sinkSeconds("latency",
			"Time from the receipt of an event until the sink has accepted it. Exemplars contain the id of an event."),
		SinkEndToEnd: sinkSeconds("end_to_end",
			"Time from the time stamp of the module in an event until the sink has accepted it. An event of a family "+
				"without time stamps counts from its receipt. Exemplars contain the id of an event."),
		StateFault: gaugeVec("state_file_fault", "1 while a file of the state directory, or the inbox of the runtime directory, "+
			"cannot be read or written. It is retried, and not overwritten before it was read.",
			"file", FileBoots, FileClock, FileRemovedSinks, FilePausedSinks, FileInbox),
		StateDamaged: counterVec("state_files_damaged_total",
			"Times that a file of the state directory, or a dead letter, was damaged. The file is renamed: .damaged is appended "+
				"to its name.", "file", FileBoots, FileClock, FileRemovedSinks, FilePausedSinks, FileInbox, FileDeadLetters),
		Undecoded: counterVec("events_undecoded_total", "Messages of a family that do not match its specification, counted for each "+
			"sink that reads them. The event is delivered with the attributes that are known, the error and the bytes of the message.",
			"family"),
		ClockSteps: counter("clock_steps_total", "Steps of the wall clock by at least 0.1 s since the start, by NTP or an operator. Limits "+
			"of age do not depend on the wall clock."),
	}
	reg.MustRegister(
		m.SinkLatency, m.SinkEndToEnd, m.StateFault, m.StateDamaged, m.Undecoded, m.ClockSteps, buildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// sinkSeconds returns a histogram of seconds by sink, with buckets up to about nine minutes.
func sinkSeconds(name, help string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(histogram("sink_"+name+"_seconds", help, prometheus.ExponentialBuckets(0.0005, 4, 11)),
		[]string{"sink"})
}

// histogram returns the options of a histogram with the buckets, which is also a native
// histogram with a resolution of 10 %.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the versions of the daemon and of Go as labels.",
		ConstLabels: prometheus.Labels{"version": strings.ToValidUTF8(version, "?"), "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func gaugeVec(name, help, label string, values ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}

func counterVec(name, help, label string, values ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}
