// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/metrics"
)

// A row describes one metric.
type row struct {
	name, kind, help string
	labels           []string
	values           map[string][]string // of labels with a closed list of values
}

// series returns the name with its labels.
func (r row) series() string {
	if len(r.labels) == 0 {
		return r.name
	}
	return r.name + "{" + strings.Join(r.labels, ",") + "}"
}

// meaning returns the help with the values of the labels.
func (r row) meaning() string {
	text := strings.ReplaceAll(r.help, "|", `\|`)
	for _, label := range r.labels {
		if values := r.values[label]; len(values) > 0 {
			text += fmt.Sprintf(" `%s`: `%s`.", label, strings.Join(values, "`, `"))
		}
	}
	return text
}

// describe returns our metrics in the order of their names.
func describe() ([]row, error) {
	reg := prometheus.NewRegistry()
	if err := register(reg); err != nil {
		return nil, err
	}
	families, err := reg.Gather()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "genltestd_") {
			continue // the metrics of the process and of Go, described by client_golang
		}
		r := row{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), values: map[string][]string{}}
		for _, m := range f.GetMetric() {
			for _, pair := range m.GetLabel() {
				r.add(pair.GetName(), pair.GetValue())
			}
		}
		slices.SortStableFunc(r.labels, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		rows = append(rows, r)
	}
	return rows, nil
}

// add notes a label of a series, and its value if the list of values is closed.
func (r *row) add(label, value string) {
	if !slices.Contains(r.labels, label) {
		r.labels = append(r.labels, label)
	}
	switch label {
	case "reason", "result", "file", "listener":
		if !slices.Contains(r.values[label], value) {
			r.values[label] = append(r.values[label], value)
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
	metrics.New(reg, "").SinkLatency.WithLabelValues("name")
	metrics.NewReception(reg, genl.FamilyName, genl.GroupName, refusals)
	return errors.Join(
		metrics.RegisterSinks(reg, func() []metrics.SinkState {
			return []metrics.SinkState{metrics.NewSinkState("name", match.Reasons())}
		}),
		metrics.RegisterJournal(reg, func() metrics.JournalState { return metrics.JournalState{} }),
		metrics.RegisterConfig(reg, func() metrics.ConfigState { return metrics.ConfigState{} }),
		metrics.RegisterListeners(reg, func(string) bool { return false }),
	)
}
