// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/metrics"
	"github.com/genltestd/genltestd/packaging/metricsdoc"
)

// A rule is an alert, or a recording rule.
type rule struct {
	Alert, Record, Expr, For string
	Labels, Annotations      map[string]string
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	for _, path := range glob(t, "prometheus/*.yml") {
		var file struct{ Groups []struct{ Rules []rule } }
		decode(t, path, &file)
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

// A timeline is a test of promtool: which alerts fire at several times.
type timeline struct {
	Name   string
	Checks []struct {
		Samples []struct{ Labels string } `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
}

func timelines(t *testing.T) (all []timeline) {
	t.Helper()
	for _, path := range glob(t, "prometheus/tests/*.yml") {
		var file struct{ Tests []timeline }
		decode(t, path, &file)
		all = append(all, file.Tests...)
	}
	return all
}

// fires reports for each time whether an alert with these labels is expected to fire.
func (l timeline) fires(labels ...string) (at []bool) {
	for _, check := range l.Checks {
		at = append(at, slices.ContainsFunc(check.Samples, func(s struct{ Labels string }) bool {
			return !slices.ContainsFunc(labels, func(label string) bool { return !strings.Contains(s.Labels, label) })
		}))
	}
	return at
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	promtool := sinktest.Program(t, "promtool")
	for _, path := range glob(t, "prometheus/*.yml") {
		if out, err := exec.Command(promtool, "check", "rules", path).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	for _, path := range glob(t, "prometheus/tests/*.yml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(promtool, "test", "rules", path).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// In a test of promtool each alert is expected not to fire, then to fire, then to have ended.
func TestEachAlertIsDrivenToFireAndToResolve(t *testing.T) {
	all := timelines(t)
	for _, a := range alerts(t) {
		tested := slices.ContainsFunc(all, func(l timeline) bool {
			fires := l.fires(`alertname="` + a.Alert + `"`)
			first := slices.Index(fires, true)
			return first > 0 && slices.Contains(fires[first:], false)
		})
		if !tested {
			t.Errorf("prometheus/tests does not drive %s to fire and to resolve", a.Alert)
		}
	}
}

// A fault that the daemon reports and no alert reports would stay unseen.
func TestEachReasonIsAlerted(t *testing.T) {
	all := timelines(t)
	alerted := func(object, reason string) {
		t.Helper()
		if !slices.ContainsFunc(all, func(l timeline) bool {
			return slices.Contains(l.fires(object+`="`, `reason="`+reason+`"`), true)
		}) {
			t.Errorf("no alert of a %s has the reason %s in a test", object, reason)
		}
	}
	dropped := []string{metrics.DroppedJournal, metrics.DroppedAge, metrics.DroppedLag}
	for _, reason := range slices.Concat(metrics.FaultReasons(), dropped) {
		alerted("sink", reason)
	}
	lost := []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained}
	for _, reason := range slices.Concat(metrics.FamilyReasons(), lost) {
		alerted("family", reason)
	}
}

var (
	metricName = regexp.MustCompile(`\b(genltestd|process|go)_[a-z_]+`)
	recordName = regexp.MustCompile(`\b[a-z_]+:[a-z_]+:[a-z0-9_]+`)
	ofProcess  = []string{"process_start_time_seconds"} // by client_golang
)

func TestRulesUseMetricsThatExist(t *testing.T) {
	all, err := metricsdoc.All()
	if err != nil {
		t.Fatal(err)
	}
	known, records := slices.Clone(ofProcess), []string{}
	for _, m := range all {
		known = append(known, m.Name)
		if m.Type == "histogram" {
			known = append(known, m.Name+"_bucket", m.Name+"_count", m.Name+"_sum")
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" {
			records = append(records, r.Record)
		}
	}
	for _, r := range rules(t) {
		for _, name := range recordName.FindAllString(r.Expr, -1) {
			if !slices.Contains(records, name) {
				t.Errorf("%s%s uses %s, which no rule records", r.Alert, r.Record, name)
			}
		}
		for _, name := range metricName.FindAllString(recordName.ReplaceAllString(r.Expr, ""), -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s%s uses %s, which is not a metric of docs/metrics.md", r.Alert, r.Record, name)
			}
		}
	}
}
