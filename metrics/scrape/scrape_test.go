// SPDX-License-Identifier: Apache-2.0

package scrape

import "testing"

const page = `# HELP lost_total Events, by reason.
# TYPE lost_total counter
lost_total{family="a",reason="late"} 2
lost_total{family="a",reason="full"} 3
lost_total{family="b",reason="late"} 40
lost_total_seconds 500
subscribed 1
`

func TestSumOfTheSeriesWithTheseLabels(t *testing.T) {
	for series, want := range map[string]float64{
		"lost_total":                            45,
		`lost_total{reason="late"}`:             42,
		`lost_total{reason="late",family="b"}`:  40,
		`lost_total{family="a",reason="full"}`:  3,
		"subscribed":                            1,
		`lost_total{reason="other"}`:            -1,
		"lost":                                  -1,
		`subscribed{family="a"}`:                -1,
		`lost_total{family="a",reason="late"} `: -1,
	} {
		got, ok := Sum(page, series)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: %v, want %v", series, got, want)
		}
	}
}
