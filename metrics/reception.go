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

// AllGroups is the label group of metrics that belong to a family and not to one group: the
// kernel does not report the group of a lost event.
const AllGroups = "*"

// A Reception contains the instruments of one family and its event socket. They are safe
// for concurrent use.
type Reception struct {
	Received      *prometheus.CounterVec // events accepted from the kernel, by group
	Refused       *prometheus.CounterVec // by reason
	Lost          *prometheus.CounterVec // by reason
	Blind         prometheus.Counter     // seconds
	ReceiveBuffer prometheus.Gauge       // bytes that the kernel granted
	BufferLimited prometheus.Gauge       // 1 while the kernel granted fewer bytes than configured
	Subscribed    prometheus.Gauge       // 1 while events can arrive
	Registrations prometheus.Counter     // times that the family appeared
	EchoProbes    *prometheus.CounterVec // by result; nil without Echo
	EchoSeconds   prometheus.Histogram   // nil without Echo

	unregister []func()
}

// A ReceptionConfig describes the metrics of one family.
type ReceptionConfig struct {
	Family   string
	Group    string   // of the events that are lost; AllGroups if the family may have several groups
	Groups   []string // known groups of received events; others are added when they appear
	Refusals []string // all reasons for which a message is not an event
	Echo     bool     // the family has an echo command
}

// NewReception registers the metrics of one family. The metrics of multicast events have the
// labels family and group; those of the socket and of the health checks have the label
// family.
func NewReception(reg prometheus.Registerer, c ReceptionConfig) *Reception {
	r := &Reception{
		Received: counterVec("events_received_total", "Events accepted from the kernel and written to the journal. The "+
			"group is unknown if the kernel did not report a group of the family.",
			"group", c.Groups...),
		Refused: counterVec("messages_refused_total",
			"Messages on the event socket that are not events of the family, by reason. sender: not sent by the kernel. family: "+
				"of another family, or with an id that was valid before the module was loaded again.",
			"reason", c.Refusals...),
		Lost: counterVec("events_lost_total",
			"Events that the kernel multicast and the daemon did not receive, by reason. kernel_buffer: the receive buffer was "+
				"full. not_subscribed: neither the daemon nor its stored socket existed. unexplained: the number of the event is "+
				"missing, for an unknown reason. The group is * for families other than genltest, because the kernel does not "+
				"report the group of a lost event; their only reason is kernel_buffer.",
			"reason", LostKernelBuffer, LostNotSubscribed, LostUnexplained),
		Blind: counter("blind_seconds_total",
			"Time in which the family may have multicast while no socket was subscribed. Events without a number are then lost "+
				"uncounted; those of genltest are counted as not_subscribed."),
		ReceiveBuffer: gauge("receive_buffer_bytes", "Size of the event socket's receive buffer as granted by the kernel: twice "+
			"the configured size, or less."),
		BufferLimited: gauge("receive_buffer_limited", "1 while the receive buffer is smaller than configured, because the kernel "+
			"does not grant more."),
		Subscribed:    gauge("subscribed", "1 while the daemon is a member of a multicast group of the family, so that events can arrive."),
		Registrations: counter("family_registrations_total", "Times that the family appeared: at start, or when its module was loaded."),
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"family": c.Family}, reg)
	r.register(reg, r.Received, r.Refused, r.ReceiveBuffer, r.BufferLimited, r.Registrations)
	r.register(prometheus.WrapRegistererWith(prometheus.Labels{"group": c.Group}, reg), r.Lost, r.Blind, r.Subscribed)
	if c.Echo {
		r.addEcho(reg)
	}
	return r
}

func (r *Reception) addEcho(reg prometheus.Registerer) {
	r.EchoProbes = counterVec("echo_probes_total",
		"Echo health checks of the family, by result. absent: the family was not registered.",
		"result", EchoOK, EchoTimeout, EchoAbsent, EchoError)
	r.EchoSeconds = prometheus.NewHistogram(histogram("echo_duration_seconds",
		"Round-trip time of the echo health checks that were answered.", prometheus.ExponentialBuckets(0.00001, 4, 10)))
	r.register(reg, r.EchoProbes, r.EchoSeconds)
}

func (r *Reception) register(reg prometheus.Registerer, list ...prometheus.Collector) {
	reg.MustRegister(list...)
	for _, c := range list {
		r.unregister = append(r.unregister, func() { reg.Unregister(c) })
	}
}

// Unregister removes the metrics of the family. It must not be called concurrently.
func (r *Reception) Unregister() {
	for _, unregister := range r.unregister {
		unregister()
	}
	r.unregister = nil
}

// A ReceptionState contains the values of the instruments of one family at one time.
type ReceptionState struct {
	Received, Refused uint64
	Lost              map[string]uint64 // by reason
	BlindSeconds      float64
	BufferBytes       int
}

// State returns the present values.
func (r *Reception) State() ReceptionState {
	s := ReceptionState{Lost: map[string]uint64{}, BlindSeconds: valueOf(r.Blind), BufferBytes: int(valueOf(r.ReceiveBuffer))}
	for _, n := range valuesOf(r.Received) {
		s.Received += uint64(n)
	}
	for _, n := range valuesOf(r.Refused) {
		s.Refused += uint64(n)
	}
	for reason, n := range valuesOf(r.Lost) {
		s.Lost[reason] = uint64(n)
	}
	return s
}
