// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	scrapedType   = regexp.MustCompile(`(?m)^# TYPE (genltestd_\S+) (\S+)$`)
	scrapedSeries = regexp.MustCompile(`(?m)^(genltestd_[a-z_]+)\{(.*)\} `)
	pagePath      = regexp.MustCompile(`<a href="([a-z]+)">`)
	scrapedLabel  = regexp.MustCompile(`([a-z]+)="(?:[^"\\]|\\.)*"`)
)

// The manual page contains every metric, with its type and labels, and every page.
func TestManualNamesEveryMetricAndPage(t *testing.T) {
	page, err := os.ReadFile("../packaging/man/genltestd.8")
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, listenAnywhere+"families: [genltest, ethtool]\n", newKernel(), prober{})
	requestCanary(t, f.client()) // before it, its latency does not have series
	_, scrape := f.get(t, "/metrics")
	labels := labelsOf(scrape)
	types := scrapedType.FindAllStringSubmatch(scrape, -1)
	for _, m := range types {
		name, kind := m[1], m[2]
		want := ".It Va " + name + " No " + labels[name] + "(" + kind + ")"
		if !strings.Contains(string(page), "\n"+want+"\n") {
			t.Errorf("the manual does not contain the line %q", want)
		}
	}
	if n := strings.Count(string(page), "\n.It Va genltestd_"); n != len(types) || n < 35 {
		t.Errorf("the manual has %d metrics, the daemon %d", n, len(types))
	}
	_, index := f.get(t, "/")
	paths := pagePath.FindAllStringSubmatch(index, -1)
	for _, path := range append(paths, []string{"", ""}) { // and the status page itself
		if !strings.Contains(string(page), "\n.It Pa /"+path[1]+"\n") {
			t.Errorf("the manual does not contain /%s", path[1])
		}
	}
	if len(paths) < 4 {
		t.Errorf("links: %s", paths)
	}
}

// labelRank orders labels as the page does: the object of a series before its other labels.
func labelRank(label string) int {
	order := []string{"family", "group", "sink"}
	if i := slices.Index(order, label); i >= 0 {
		return i
	}
	return len(order)
}

// labelsOf returns the labels of each metric as the page shows them, such as "{sink,reason} ".
func labelsOf(scrape string) map[string]string {
	all := make(map[string]string)
	for _, m := range scrapedSeries.FindAllStringSubmatch(scrape, -1) {
		var names []string
		for _, label := range scrapedLabel.FindAllStringSubmatch(m[2], -1) {
			if label[1] != "le" {
				names = append(names, label[1])
			}
		}
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(labelRank(a), labelRank(b)), cmp.Compare(a, b))
		})
		if len(names) > 0 {
			all[strings.TrimSuffix(m[1], "_bucket")] = "{" + strings.Join(names, ",") + "} "
		}
	}
	return all
}
