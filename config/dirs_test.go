// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// Each directory has drop-ins and can have a main file. Its golden file contains
// the faults, or each file and the positions of its sinks.
func TestLoadSeveralFiles(t *testing.T) {
	for _, dir := range glob(t, "testdata/dirs/*", 28) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Chdir(dir)
			got := outcome(LoadOptional("genltestd.yaml", sinks.Kinds()))
			if *update {
				if err := os.WriteFile("want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readTestFile(t, "want")), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func outcome(c *Config, err error) string {
	if err != nil {
		return withoutKinds(err.Error()) + "\n"
	}
	var b strings.Builder
	for _, f := range c.Files() {
		fmt.Fprintf(&b, "%s: %d\n", f.Name, f.Sinks)
	}
	for i, s := range c.Sinks {
		fmt.Fprintln(&b, c.Fault(fmt.Sprintf("sinks[%d].name", i), "%s", s.Name))
	}
	return b.String()
}

// The output is one file, also for a configuration of several files.
func TestPrintSeveralFiles(t *testing.T) {
	t.Chdir("testdata/dirs/order")
	c, err := Load("genltestd.yaml", sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	checkPrint(t, c)
}

// A secret is visible to other users only through the mode of its own file.
func TestWarningNamesTheFileOfTheSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	hook := func(name string) string {
		return "sinks:\n  - name: " + name + "\n    webhook: {url: 'https://example.org/', bearer: hunter2}\n"
	}
	files(t, map[string]string{"g.yaml": hook("a"), "g.d/b.yaml": hook("b"), "g.d/c.yaml": hook("c")})
	warnings := func() []string {
		c, err := Load("g.yaml", sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		var places []string
		for _, w := range c.Warnings() {
			places = append(places, fmt.Sprintf("%s:%d %s", w.File, w.Line, w.Path))
		}
		return places
	}
	chmod(t, "g.d/c.yaml", 0o644)
	if diff := cmp.Diff([]string{"g.d/c.yaml:3 sinks[0].webhook.bearer"}, warnings()); diff != "" {
		t.Errorf("a drop-in that others may read (-want +got):\n%s", diff)
	}
	chmod(t, "g.d/c.yaml", 0o600)
	chmod(t, "g.yaml", 0o644)
	if diff := cmp.Diff([]string{"g.yaml:3 sinks[0].webhook.bearer"}, warnings()); diff != "" {
		t.Errorf("a main file that others may read (-want +got):\n%s", diff)
	}
}

// Callers name a value by its path in the whole configuration; the error has its position in its
// file.
func TestFaultNamesTheFile(t *testing.T) {
	t.Chdir("testdata/dirs/order")
	c, err := Load("genltestd.yaml", sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"sinks[1].file.path":          "genltestd.d/10.yaml:3:18: sinks[0].file.path: odd",
		"sinks[2].stdout.nonsense":    "genltestd.d/10.yaml:5:13: sinks[1].stdout.nonsense: odd",
		"sinks[6]":                    "genltestd.d/a.yaml:2:5: sinks[0]: odd",
		"sinks[7]":                    "genltestd.yaml:2:3: sinks[7]: odd",
		"sinks[99999999999999999999]": "genltestd.yaml:2:3: sinks[99999999999999999999]: odd",
		"log.level":                   "genltestd.yaml: log.level: odd",
		"":                            "genltestd.yaml: odd",
	} {
		if got := c.Fault(path, "odd").Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// files writes files below the current directory, which only the owner may read.
func files(t *testing.T, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
}

func chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
