// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEverySeriesExistsFromTheStartAndPassesTheLinter(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	New(reg, "1.0\xff")
	refusals := []string{"family", "sender"}
	NewReception(reg, ReceptionConfig{Family: "genltest", Group: "mcgrp", Groups: []string{"mcgrp"}, Refusals: refusals, Echo: true})
	NewReception(reg, ReceptionConfig{Family: "ethtool", Group: AllGroups, Groups: []string{"monitor"}, Refusals: refusals})
	NewReception(reg, ReceptionConfig{Family: "netdev", Group: AllGroups, Refusals: refusals}).Unregister()
	states := func() []SinkState {
		a, b := NewSinkState("a", []string{"sample"}), NewSinkState("b", []string{"sample"})
		b.Faults = []SinkFault{{Reason: FaultRefused, Err: errors.New("x")}}
		return []SinkState{a, b}
	}
	if err := RegisterSinks(reg, states); err != nil {
		t.Fatal(err)
	}
	if err := RegisterJournal(reg, func() JournalState { return JournalState{Accepting: true} }); err != nil {
		t.Fatal(err)
	}
	inUse := ConfigState{Hash: "0123", Current: true, Since: time.Unix(1, 0)}
	if err := RegisterConfig(reg, func() ConfigState { return inUse }); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	want, err := os.Open("testdata/series.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	names := []string{
		"genltestd_events_received_total", "genltestd_events_lost_total", "genltestd_receive_buffer_bytes",
		"genltestd_echo_probes_total",
		"genltestd_sink_events_dropped_total", "genltestd_sink_healthy",
	}
	if err := testutil.GatherAndCompare(reg, want, names...); err != nil {
		t.Error(err)
	}
}
