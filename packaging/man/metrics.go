// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/packaging/metricsdoc"
)

// addMetrics adds a list of the metrics with one of the prefixes.
func (x *expander) addMetrics(prefixes []string) error {
	all, err := metricsdoc.All()
	if err != nil {
		return err
	}
	x.write(".Bl -tag -width Ds")
	for _, prefix := range prefixes {
		found := slices.DeleteFunc(slices.Clone(all), func(m metricsdoc.Metric) bool { return !strings.HasPrefix(m.Name, "genltestd_"+prefix) })
		if len(found) == 0 {
			return fmt.Errorf("no metric begins with genltestd_%s", prefix)
		}
		for _, m := range found {
			x.write(metricHead(m))
			x.out.WriteString(fill(m.Help))
		}
	}
	x.write(".El")
	return nil
}

func metricHead(m metricsdoc.Metric) string {
	if labels := m.LabelSet(); labels != "" {
		return fmt.Sprintf(".It Va %s No %s (%s)", m.Name, labels, m.Type)
	}
	return fmt.Sprintf(".It Va %s No (%s)", m.Name, m.Type)
}
