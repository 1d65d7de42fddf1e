// SPDX-License-Identifier: Apache-2.0

// Package metricsdoc describes the metrics of the daemon, for documentation.
package metricsdoc

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/metrics"
)

// A Metric is one metric of the daemon.
type Metric struct {
	Name, Type, Help string
	Labels           []string
	Values           map[string][]string // of labels with a closed list of values
}

// LabelSet returns the labels in braces; empty without labels.
func (m Metric) LabelSet() string {
	if len(m.Labels) == 0 {
		return ""
	}
	return "{" + strings.Join(m.Labels, ",") + "}"
}

// All returns the metrics of the daemon in the order of their names.
func All() ([]Metric, error) {
	reg := prometheus.NewRegistry()
	if err := register(reg); err != nil {
		return nil, err
	}
	families, err := reg.Gather()
	if err != nil {
		return nil, err
	}
	var all []Metric
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "genltestd_") {
			continue // the metrics of the process and of Go, described by client_golang
		}
		m := Metric{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp(), Values: map[string][]string{}}
		for _, series := range f.GetMetric() {
			for _, pair := range series.GetLabel() {
				m.add(pair.GetName(), pair.GetValue())
			}
		}
		slices.SortStableFunc(m.Labels, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		all = append(all, m)
	}
	return all, nil
}

// add notes a label of a series, and its value if the list of values is closed.
func (m *Metric) add(label, value string) {
	if !slices.Contains(m.Labels, label) {
		m.Labels = append(m.Labels, label)
	}
	switch label {
	case "reason", "result", "file", "listener":
		if !slices.Contains(m.Values[label], value) {
			m.Values[label] = append(m.Values[label], value)
		}
	}
}

// rank orders the labels: the object of a series before its other labels.
func rank(label string) int {
	if i := slices.Index([]string{"family", "group", "sink"}, label); i >= 0 {
		return i
	}
	return 3
}

// register registers all metrics of the daemon, with one sink.
func register(reg prometheus.Registerer) error {
	var refusals []string
	for _, v := range genl.Refusals() {
		refusals = append(refusals, v.String())
	}
	m := metrics.New(reg, "")
	m.SinkLatency.WithLabelValues("name")
	m.SinkEndToEnd.WithLabelValues("name")
	m.Undecoded.WithLabelValues("name")
	metrics.NewReception(reg, metrics.ReceptionConfig{
		Family: genl.FamilyName, Group: genl.GroupName, Groups: genl.Genltest.Groups, Refusals: refusals, Echo: true,
	})
	return errors.Join(
		metrics.RegisterSinks(reg, func() []metrics.SinkState {
			return []metrics.SinkState{metrics.NewSinkState("name", match.Reasons())}
		}),
		metrics.RegisterJournal(reg, func() metrics.JournalState { return metrics.JournalState{} }),
		metrics.RegisterConfig(reg, func() metrics.ConfigState { return metrics.ConfigState{} }),
		metrics.RegisterFamilies(reg, func() []metrics.FamilyState { return []metrics.FamilyState{{Family: "name"}} }),
		metrics.RegisterCanary(reg, func() metrics.CanaryState {
			return metrics.CanaryState{Sinks: []metrics.CanarySink{{Name: "name"}}}
		}),
		metrics.RegisterListeners(reg, func(string) bool { return false }),
	)
}
