// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEverySeriesExistsFromTheStartAndPassesTheLinter(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	New(reg, "1.0\xff")
	for _, family := range []string{"genltest", "ethtool"} {
		NewReception(reg, family, "mcgrp", []string{"family", "sender"})
	}
	states := func() []SinkState {
		a, b := NewSinkState("a", []string{"sample"}), NewSinkState("b", []string{"sample"})
		b.Faults = []SinkFault{{FaultRefused, errors.New("x")}}
		return []SinkState{a, b}
	}
	if err := RegisterSinks(reg, states); err != nil {
		t.Fatal(err)
	}
	if err := RegisterJournal(reg, func() JournalState { return JournalState{Accepting: true} }); err != nil {
		t.Fatal(err)
	}
	if err := RegisterConfig(reg, func() ConfigState { return ConfigState{Hash: "0123", Current: true, Since: time.Unix(1, 0)} }); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	want := `
# HELP genltestd_events_lost_total Events that the kernel multicast and the daemon did not receive, by reason. kernel_buffer: the receive buffer was full. not_subscribed: neither the daemon nor its stored socket existed. unexplained: the number of the event is missing, for an unknown reason.
# TYPE genltestd_events_lost_total counter
genltestd_events_lost_total{family="ethtool",group="mcgrp",reason="kernel_buffer"} 0
genltestd_events_lost_total{family="ethtool",group="mcgrp",reason="not_subscribed"} 0
genltestd_events_lost_total{family="ethtool",group="mcgrp",reason="unexplained"} 0
genltestd_events_lost_total{family="genltest",group="mcgrp",reason="kernel_buffer"} 0
genltestd_events_lost_total{family="genltest",group="mcgrp",reason="not_subscribed"} 0
genltestd_events_lost_total{family="genltest",group="mcgrp",reason="unexplained"} 0
# HELP genltestd_receive_buffer_bytes Size of the event socket's receive buffer as granted by the kernel: twice receiver.buffer, or less.
# TYPE genltestd_receive_buffer_bytes gauge
genltestd_receive_buffer_bytes{family="ethtool"} 0
genltestd_receive_buffer_bytes{family="genltest"} 0
# HELP genltestd_sink_events_dropped_total Events that were never delivered, by the limit that was reached first. journal: the limit of the journal, or the events could not be read back. max_lag_bytes, max_age: the limits of the sink.
# TYPE genltestd_sink_events_dropped_total counter
genltestd_sink_events_dropped_total{reason="journal",sink="a"} 0
genltestd_sink_events_dropped_total{reason="journal",sink="b"} 0
genltestd_sink_events_dropped_total{reason="max_age",sink="a"} 0
genltestd_sink_events_dropped_total{reason="max_age",sink="b"} 0
genltestd_sink_events_dropped_total{reason="max_lag_bytes",sink="a"} 0
genltestd_sink_events_dropped_total{reason="max_lag_bytes",sink="b"} 0
# HELP genltestd_sink_healthy 1 while the sink is without fault; sink_fault shows the reasons.
# TYPE genltestd_sink_healthy gauge
genltestd_sink_healthy{sink="a"} 1
genltestd_sink_healthy{sink="b"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "genltestd_events_lost_total", "genltestd_receive_buffer_bytes", "genltestd_sink_events_dropped_total", "genltestd_sink_healthy"); err != nil {
		t.Error(err)
	}
}
