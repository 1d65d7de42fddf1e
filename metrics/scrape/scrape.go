// SPDX-License-Identifier: Apache-2.0

// Package scrape reads metrics of a page in the text format of Prometheus, for tests.
package scrape

import (
	"strconv"
	"strings"
)

// Sum returns the sum of all series on the page that have the name and the labels of
// series, such as
//
//	genltestd_events_lost_total{reason="kernel_buffer"}
//
// A series may have further labels. ok is false without such a series.
func Sum(page, series string) (sum float64, ok bool) {
	name, labels := parse(series)
	for line := range strings.Lines(page) {
		end := strings.LastIndexByte(line, ' ')
		if end < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if found, shown := parse(line[:end]); found != name || !includes(shown, labels) {
			continue
		}
		if value, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64); err == nil {
			sum, ok = sum+value, true
		}
	}
	return sum, ok
}

func parse(series string) (name string, labels []string) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	if rest == "" {
		return name, nil
	}
	return name, strings.Split(rest, ",") // no value of our labels contains a comma
}

func includes(all, some []string) bool {
	for _, label := range some {
		if !strings.Contains(","+strings.Join(all, ",")+",", ","+label+",") {
			return false
		}
	}
	return true
}
