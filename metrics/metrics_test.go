// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEverySeriesExistsFromTheStartAndPassesTheLinter(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	New(reg, "1.0\xff", []string{"family", "sender"})
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
# HELP genltestd_messages_refused_total Messages on the event socket that are not events of the family, by reason.
# TYPE genltestd_messages_refused_total counter
genltestd_messages_refused_total{reason="family"} 0
genltestd_messages_refused_total{reason="sender"} 0
# HELP genltestd_sink_events_dropped_total Events that the sink never got: the limit that was reached. journal: that of the journal, or they could not be read back.
# TYPE genltestd_sink_events_dropped_total counter
genltestd_sink_events_dropped_total{reason="journal",sink="a"} 0
genltestd_sink_events_dropped_total{reason="journal",sink="b"} 0
genltestd_sink_events_dropped_total{reason="max_age",sink="a"} 0
genltestd_sink_events_dropped_total{reason="max_age",sink="b"} 0
genltestd_sink_events_dropped_total{reason="max_lag_bytes",sink="a"} 0
genltestd_sink_events_dropped_total{reason="max_lag_bytes",sink="b"} 0
# HELP genltestd_sink_healthy 1 while nothing is wrong with the sink; sink_fault says what is.
# TYPE genltestd_sink_healthy gauge
genltestd_sink_healthy{sink="a"} 1
genltestd_sink_healthy{sink="b"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "genltestd_messages_refused_total", "genltestd_sink_events_dropped_total", "genltestd_sink_healthy"); err != nil {
		t.Error(err)
	}
}

func TestTheDocumentationNamesEveryMetric(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	New(reg, "1.0", []string{"x"}).SinkLatency.WithLabelValues("a")
	if err := RegisterSinks(reg, func() []SinkState { return []SinkState{NewSinkState("a", []string{"x"})} }); err != nil {
		t.Fatal(err)
	}
	if err := RegisterJournal(reg, func() JournalState { return JournalState{} }); err != nil {
		t.Fatal(err)
	}
	if err := RegisterConfig(reg, func() ConfigState { return ConfigState{} }); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, namespace) && !strings.Contains(string(page), "| `"+name) {
			t.Errorf("docs/metrics.md does not name %s", name)
		}
	}
}
