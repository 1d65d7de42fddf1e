// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/daemon/sink/webhook"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// The labels equal those of a YAML library.
func TestMergeKeysMatchAYAMLLibrary(t *testing.T) {
	const anchors = "x-a: &a {k: a, l: a}\nx-b: &b {k: b, m: b}\nx-c: &c {<<: *a, l: c, n: c}\n"
	for _, labels := range []string{
		"{<<: *a}", "{<<: *a, k: own}", "{k: own, <<: *a}", "{<<: [*a, *b]}", "{<<: [*b, *a], m: own}", "{<<: *c}",
		"{<<: [*b, *c]}", "{<<: [*c, *b]}", "{<<: {k: inline}}", "{<<: [{k: inline}, *c]}", "{<<: {<<: *c, m: inline}}",
		"{<<: [], k: own}", "{<<: {}, k: own}", "*c",
	} {
		text := anchors + "event: {labels: " + labels + "}\n"
		var want struct {
			Event struct{ Labels map[string]string }
		}
		if err := yaml.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", labels, err)
		}
		got, err := Parse("x", []byte(text), sinks.Kinds())
		if err != nil {
			t.Errorf("%s: %v", labels, err)
			continue
		}
		if diff := cmp.Diff(want.Event.Labels, got.Event.Labels); diff != "" {
			t.Errorf("%s (-library +got):\n%s", labels, diff)
		}
	}
}

// An override in one sink does not change the other sinks.
func TestMergeKeysOfSinks(t *testing.T) {
	c, err := Parse("x", []byte(`x-hook: &hook
  retry_min: 1s
  batch_events: 10
  webhook: &to {url: {credential: url}, method: PUT}
sinks:
  - {name: a, <<: *hook}
  - <<: *hook
    name: b
    batch_events: 20
    webhook:
      <<: *to
      method: PATCH
  - <<: *hook
    name: c
    webhook: {url: {env: URL}}
`), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.Sinks {
		w := s.Config.(*webhook.Config)
		got = append(got, fmt.Sprintf("%s %v %d %v %s", s.Name, s.RetryMin, s.BatchEvents, w.URL, w.Method))
	}
	want := []string{"a 1s 10 <credential url> PUT", "b 1s 20 <credential url> PATCH", "c 1s 10 <env URL> POST"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}
