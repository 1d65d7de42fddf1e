// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// output runs a formatter, and fails the test if it fails or prints a warning.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(sinktest.Program(t, program), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Errorf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, complaints.Bytes())
	}
	return string(out)
}

// The result of the check for other manuals depends on the machine.
func TestMandocReportsNoErrors(t *testing.T) {
	for name := range pages(t) {
		for line := range strings.Lines(lint(t, name)) {
			if !strings.Contains(line, "referenced manual not found") && !strings.Contains(line, "outdated mandoc.db") {
				t.Error(line)
			}
		}
	}
}

func lint(t *testing.T, page string) string {
	t.Helper()
	found, err := exec.Command(sinktest.Program(t, "mandoc"), "-Tlint", "-Wstyle", page).CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(found)
}

func TestGroffReportsNoWarnings(t *testing.T) {
	for name := range pages(t) {
		output(t, "groff", "-mandoc", "-Tutf8", "-ww", "-z", name)
	}
}

// strict makes groff show typographic characters in place of those in the page, as some
// systems do. The text of examples must not depend on it.
const strict = ".char - \\[hy]\n.char ' \\[cq]\n.char ` \\[oq]\n.char ^ \\[u02C6]\n.char ~ \\[u02DC]\n"

// typographic are a hyphen, a minus, a circumflex and a tilde that no program recognizes.
const typographic = "\u2010\u2212\u02c6\u02dc"

// renderers format a page for a terminal.
func renderers() map[string]func(*testing.T, string) string {
	return map[string]func(*testing.T, string) string{
		"mandoc": func(t *testing.T, page string) string {
			return output(t, "mandoc", "-Tutf8", "-Owidth=80", page)
		},
		"man": func(t *testing.T, page string) string {
			path, err := filepath.Abs(page)
			if err != nil {
				t.Fatal(err)
			}
			return output(t, "man", "--local-file", path)
		},
		"groff": func(t *testing.T, page string) string {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "mdoc.local"), []byte(strict), 0o600); err != nil {
				t.Fatal(err)
			}
			return output(t, "groff", "-M", dir, "-mandoc", "-Tutf8", "-P-c", "-rLL=80n", page)
		},
	}
}

// overstrike matches the first half of a bold or underlined character.
var overstrike = regexp.MustCompile(`.\x08`)

// A reader can copy an example: no formatter has interpreted or replaced a character.
func TestExamplesSurviveRendering(t *testing.T) {
	all := pages(t)
	for formatter, render := range renderers() {
		t.Run(formatter, func(t *testing.T) {
			for name, p := range all {
				shown := overstrike.ReplaceAllString(render(t, name), "")
				if at := strings.IndexAny(shown, typographic); at >= 0 {
					t.Errorf("%s: replaced a character: %s", name, shown[max(at-40, 0):at+20])
				}
				lines := strings.Split(shown, "\n")
				for _, e := range p.examples {
					if got := findLines(lines, e.text); got != e.text {
						t.Errorf("%s: not byte for byte (-want +got):\n%s", e.at, cmp.Diff(e.text, got))
					}
				}
			}
		})
	}
}

func TestKeysAndTheirExamplesSurviveRendering(t *testing.T) {
	for formatter, render := range renderers() {
		t.Run(formatter, func(t *testing.T) {
			shown := overstrike.ReplaceAllString(render(t, "genltestd.yaml.5"), "")
			lines, heads := make(map[string]bool), make(map[string]bool)
			for line := range strings.Lines(shown) {
				lines[strings.TrimSpace(line)] = true
				head, _, _ := strings.Cut(strings.TrimSpace(line), " ") // text may follow a short one
				heads[head] = true
			}
			for _, k := range config.Describe(sinks.Kinds()) {
				if !heads[k.Path] {
					t.Errorf("%s is missing", k.Path)
				}
				if line := lastOf(k.Path) + ": " + k.Example; !hasKeys(k) && !lines[line] {
					t.Errorf("%s: no line %s", k.Path, line)
				}
			}
		})
	}
}

// findLines returns the lines shown that begin as the text does, without their margin, or
// the first of the text that was not found.
func findLines(shown []string, text string) string {
	want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	nearest := ""
	for at := range shown {
		margin, ok := strings.CutSuffix(shown[at], want[0])
		if !ok || strings.TrimSpace(margin) != "" || at+len(want) > len(shown) {
			continue
		}
		var got strings.Builder
		for _, line := range shown[at : at+len(want)] {
			got.WriteString(strings.TrimPrefix(line, margin) + "\n")
		}
		if nearest = got.String(); nearest == text {
			break
		}
	}
	return nearest
}
