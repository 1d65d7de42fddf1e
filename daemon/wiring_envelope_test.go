// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
)

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCheckFindsATemplatesFault(t *testing.T) {
	cfg := parse(t, "sinks:\n- name: out\n  stdout: {}\n- name: chat\n  envelope: template\n  template: |\n    {{.Host}}\n    {{.Mesage}}\n  stdout: {}\n")
	err := Check(cfg)
	const want = "test.yaml:6:13: sinks[1].template: line 2:2: there is no field Mesage"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	cfg.Sinks[1].Template = "{{.Message}}"
	if err := Check(cfg); err != nil {
		t.Error(err)
	}
}
