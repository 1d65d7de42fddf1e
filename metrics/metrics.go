// SPDX-License-Identifier: Apache-2.0

// Package metrics names every metric of the daemon in one place. Every series
// exists, at zero, from the start; label values come from closed lists and from
// sink names in the configuration, never from event text.
package metrics

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "genltestd"

// Metrics holds the instruments that the packages of the daemon write to. Each
// is safe for concurrent use.
type Metrics struct {
	Received      prometheus.Counter     // events accepted from the kernel
	Refused       *prometheus.CounterVec // by reason
	Lost          *prometheus.CounterVec // by reason
	Blind         prometheus.Counter     // seconds
	ReceiveBuffer prometheus.Gauge       // bytes the kernel granted
	Subscribed    prometheus.Gauge       // 1 while events can arrive
	Registrations prometheus.Counter     // times the family appeared
	EchoProbes    *prometheus.CounterVec // by result
	EchoSeconds   prometheus.Histogram
	SinkLatency   *prometheus.HistogramVec // seconds, by sink
	StateFault    *prometheus.GaugeVec     // by file: 1 while it cannot be read or written
	StateDamaged  *prometheus.CounterVec   // by file: times that it was damaged and set aside
}

// The small files of the state directory.
const (
	FileBoots        = "boots"
	FileClock        = "clock"
	FileRemovedSinks = "removed_sinks"
	FileInbox        = "inbox"
	FileDeadLetters  = "dead_letters" // a directory for each sink
)

// The reasons why an event was lost. Each event has one.
const (
	LostKernelBuffer  = "kernel_buffer"  // the socket's receive buffer was full
	LostNotSubscribed = "not_subscribed" // no socket was a member of the group
	LostUnexplained   = "unexplained"    // missing in the sequence, and nothing says why
)

// The results of an echo probe.
const (
	EchoOK      = "ok"
	EchoTimeout = "timeout"
	EchoAbsent  = "absent"
	EchoError   = "error"
)

// New registers every metric with reg. refusals is the closed list of reasons
// for which a message is not an event.
func New(reg prometheus.Registerer, version string, refusals []string) *Metrics {
	m := &Metrics{
		Received: counter("events_received_total", "Events accepted from the kernel and put into the journal."),
		Refused: counterVec("messages_refused_total",
			"Messages on the event socket that are not events of the family, by reason.", "reason", refusals...),
		Lost: counterVec("events_lost_total",
			"Events that the kernel multicast and the daemon did not receive, by reason.", "reason",
			LostKernelBuffer, LostNotSubscribed, LostUnexplained),
		Blind: counter("blind_seconds_total",
			"Time in which the family may have multicast without the daemon being subscribed: events of a module that does not number them are lost uncounted."),
		ReceiveBuffer: gauge("receive_buffer_bytes", "Size of the event socket's receive buffer as granted by the kernel."),
		Subscribed:    gauge("subscribed", "1 while the daemon is a member of the family's multicast group."),
		Registrations: counter("family_registrations_total", "Times that the family appeared: at start, or when its module was loaded."),
		EchoProbes: counterVec("echo_probes_total",
			"Echo health checks of the family, by result.", "result", EchoOK, EchoTimeout, EchoAbsent, EchoError),
		EchoSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "echo_duration_seconds",
			Help:    "Round-trip time of the echo health checks that were answered.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10),
		}),
		SinkLatency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "sink_latency_seconds",
			Help:    "Time from the receipt of an event until the sink has taken it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 11), // to some nine minutes
		}, []string{"sink"}),
		StateFault: gaugeVec("state_file_fault", "1 while a file of the state directory cannot be read or written, by file.",
			"file", FileBoots, FileClock, FileRemovedSinks, FileInbox),
		StateDamaged: counterVec("state_files_damaged_total",
			"Times that a file of the state directory was damaged and was set aside, or that parts of it were left out, by file.", "file", FileBoots, FileClock, FileRemovedSinks, FileInbox, FileDeadLetters),
	}
	reg.MustRegister(
		m.Received, m.Refused, m.Lost, m.Blind, m.ReceiveBuffer, m.Subscribed, m.Registrations,
		m.EchoProbes, m.EchoSeconds, m.SinkLatency, m.StateFault, m.StateDamaged, buildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version of the daemon as label.",
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
