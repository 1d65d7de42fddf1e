// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// installed writes a changed copy of the file that make install puts into /etc, and a drop-in.
func installed(t *testing.T, change func(text string) string, dropIn string) *Config {
	t.Helper()
	dir := t.TempDir()
	main := filepath.Join(dir, "genltestd.yaml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(main, change(string(readTestFile(t, "installed.yaml"))))
	if dropIn != "" {
		if err := os.Mkdir(filepath.Join(dir, "genltestd.d"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, "genltestd.d", "a.yaml"), dropIn)
	}
	cfg, err := Load(main, sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func names(cfg *Config) (names []string) {
	for _, s := range cfg.Sinks {
		names = append(names, s.Name)
	}
	return names
}

func unchanged(text string) string { return text }

func TestInstalledFileIsDefault(t *testing.T) {
	if got := installed(t, unchanged, ""); !cmp.Equal(got.Sinks, Default(sinks.Kinds()).Sinks) {
		t.Errorf("sinks (-default +installed):\n%s", cmp.Diff(Default(sinks.Kinds()).Sinks, got.Sinks))
	}
}

// An event must not also go to the systemd journal because a drop-in added a sink.
func TestDropInReplacesTheDefaultSinkOfTheInstalledFile(t *testing.T) {
	got := names(installed(t, unchanged, "sinks:\n  - name: audit\n    stdout: {}\n"))
	if diff := cmp.Diff([]string{"audit"}, got); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}

func TestInstalledExampleIsValid(t *testing.T) {
	example := regexp.MustCompile(`(?m)^# (sinks:|  +\S)`)
	got := names(installed(t, func(text string) string { return example.ReplaceAllString(text, "$1") }, ""))
	if diff := cmp.Diff([]string{"archive"}, got); diff != "" {
		t.Errorf("sinks (-want +got):\n%s", diff)
	}
}
