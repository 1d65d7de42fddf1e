// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLoadWithoutSinksIgnoresOnlySinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genltestd.yaml")
	const sinks = "sinks:\n- {name: hook, webhook: {url: 'https://a', nonsense: 1}}\n- {name: b, filter: 'x ==', stdout: {}}\n- 7\n"
	for _, test := range []struct{ text, path, want string }{
		{sinks + "journal: {path: /j}\nfamilies: [{name: ethtool}]\n", "/j", ""},
		{"journal: {path: /j}\n", "/j", ""},
		{"", "", ""},
		{sinks + "journal: {path: /j, nonsense: 1}\n", "/j", path +
			":5:21: journal.nonsense: unknown key; the keys here are path, max_bytes, max_age, fsync, sync_interval, " +
			"keep_removed_sinks"},
		{"sinksx: 1\n", "", path + `:1:1: sinksx: unknown key; did you mean "sinks"?`},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadWithoutSinks(path, false)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want || cfg.Journal.Path != test.path || len(cfg.Sinks) > 0 {
			t.Errorf("%s: %+v, error %q, want %q", test.text, cfg, got, test.want)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := LoadWithoutSinks(missing, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if cfg, err := LoadWithoutSinks(missing, true); err != nil || cfg.Journal.MaxBytes == 0 {
		t.Errorf("a missing file that is optional: %+v, %v", cfg, err)
	}
}
