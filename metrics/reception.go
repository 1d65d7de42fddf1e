// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The reasons why an event was lost. Each lost event has one reason.
const (
	LostKernelBuffer  = "kernel_buffer"  // the socket's receive buffer was full
	LostNotSubscribed = "not_subscribed" // no socket was a member of the group
	LostUnexplained   = "unexplained"    // missing in the sequence, for an unknown reason
)

// The results of an echo probe.
const (
	EchoOK      = "ok"
	EchoTimeout = "timeout"
	EchoAbsent  = "absent"
	EchoError   = "error"
)

// A Reception contains the instruments of one family and its event socket. They are safe
// for concurrent use.
type Reception struct {
	Received      prometheus.Counter     // events accepted from the kernel
	Refused       *prometheus.CounterVec // by reason
	Lost          *prometheus.CounterVec // by reason
	Blind         prometheus.Counter     // seconds
	ReceiveBuffer prometheus.Gauge       // bytes that the kernel granted
	Subscribed    prometheus.Gauge       // 1 while events can arrive
	Registrations prometheus.Counter     // times that the family appeared
	EchoProbes    *prometheus.CounterVec // by result
	EchoSeconds   prometheus.Histogram
}

// NewReception registers the metrics of one family. The metrics of multicast events have the
// labels family and group; those of the socket and of the health checks have the label
// family. refusals contains all reasons for which a message is not an event.
func NewReception(reg prometheus.Registerer, family, group string, refusals []string) *Reception {
	r := &Reception{
		Received: counter("events_received_total", "Events accepted from the kernel and written to the journal."),
		Refused: counterVec("messages_refused_total",
			"Messages on the event socket that are not events of the family, by reason. sender: not sent by the kernel. family: "+
				"of another family, or with an id that was valid before the module was loaded again.",
			"reason", refusals...),
		Lost: counterVec("events_lost_total",
			"Events that the kernel multicast and the daemon did not receive, by reason. kernel_buffer: the receive buffer was "+
				"full. not_subscribed: neither the daemon nor its stored socket existed. unexplained: the number of the event is "+
				"missing, for an unknown reason.",
			"reason", LostKernelBuffer, LostNotSubscribed, LostUnexplained),
		Blind: counter("blind_seconds_total",
			"Time in which the family may have multicast while no socket was subscribed. Events without a number are then lost "+
				"uncounted; others are counted as not_subscribed."),
		ReceiveBuffer: gauge("receive_buffer_bytes", "Size of the event socket's receive buffer as granted by the kernel: twice "+
			"receiver.buffer, or less."),
		Subscribed:    gauge("subscribed", "1 while the daemon is a member of the multicast group, so that events can arrive."),
		Registrations: counter("family_registrations_total", "Times that the family appeared: at start, or when its module was loaded."),
		EchoProbes: counterVec("echo_probes_total",
			"Echo health checks of the family, by result. absent: the family was not registered.",
			"result", EchoOK, EchoTimeout, EchoAbsent, EchoError),
		EchoSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "echo_duration_seconds",
			Help:    "Round-trip time of the echo health checks that were answered.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10),
		}),
	}
	prometheus.WrapRegistererWith(prometheus.Labels{"family": family, "group": group}, reg).MustRegister(
		r.Received, r.Lost, r.Blind, r.Subscribed)
	prometheus.WrapRegistererWith(prometheus.Labels{"family": family}, reg).MustRegister(
		r.Refused, r.ReceiveBuffer, r.Registrations, r.EchoProbes, r.EchoSeconds)
	return r
}
