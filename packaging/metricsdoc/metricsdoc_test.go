// SPDX-License-Identifier: Apache-2.0

package metricsdoc

import (
	"slices"
	"testing"
)

func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 || !slices.IsSortedFunc(all, func(a, b Metric) int { return slices.Compare([]string{a.Name}, []string{b.Name}) }) {
		t.Errorf("%d metrics, or not in the order of their names", len(all))
	}
	for _, m := range all {
		if m.Help == "" || !slices.Contains([]string{"counter", "gauge", "histogram"}, m.Type) {
			t.Errorf("%s: type %q, help %q", m.Name, m.Type, m.Help)
		}
		if m.Name == "genltestd_events_lost_total" {
			if got := m.LabelSet(); got != "{family,group,reason}" {
				t.Errorf("%s has the labels %s", m.Name, got)
			}
			if want := []string{"kernel_buffer", "not_subscribed", "unexplained"}; !slices.Equal(m.Values["reason"], want) || len(m.Values) != 1 {
				t.Errorf("%s has the values %v, want the reasons %v", m.Name, m.Values, want)
			}
		}
	}
}
