// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/strict/diagnose"
	"github.com/genltestd/genltestd/daemon/sink"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// A mistake is a section of testdata/mistakes.txt: "### NAME", a text, and the errors
// that it causes, each after "=> ".
type mistake struct{ name, text, want string }

const mistakesFile = "testdata/mistakes.txt"

func mistakes(t testing.TB) (all []mistake) {
	t.Helper()
	for section := range strings.SplitSeq(string(readTestFile(t, mistakesFile)), "### ") {
		name, rest, ok := strings.Cut(section, "\n")
		if !ok || strings.HasPrefix(name, "#") || name == "" {
			continue
		}
		m := mistake{name: name}
		for line := range strings.Lines(rest) {
			if strings.HasPrefix(line, "=> ") {
				m.want += line
			} else {
				m.text += line
			}
		}
		all = append(all, m)
	}
	return all
}

// The error of each common mistake is compared exactly. It contains the position of the cause and a remedy.
func TestMistakes(t *testing.T) {
	var file strings.Builder
	for _, m := range mistakes(t) {
		t.Run(m.name, func(t *testing.T) {
			c, err := Parse("x", []byte(m.text), sinks.Kinds())
			var got string
			for _, w := range c.Warnings() {
				got += "=> warning: " + strings.TrimPrefix(w.Error(), "x:") + "\n"
			}
			for line := range strings.Lines(withoutKinds(fmt.Sprint(err))) {
				got += "=> " + strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "x:") + "\n"
			}
			fmt.Fprintf(&file, "### %s\n%s%s", m.name, m.text, got)
			if diff := cmp.Diff(m.want, got); diff != "" && !*update {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(mistakesFile, []byte(file.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The remedy that a syntax error names must remove the error. A text with only this error
// must then be valid YAML.
func TestSyntaxRemediesAreAccepted(t *testing.T) {
	for _, m := range mistakes(t) {
		text := []byte(m.text)
		if language().Parses(text) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			for range 10 {
				f := diagnose.Find(text, 1, language())
				if f.Repaired == nil {
					t.Fatalf("no accepted remedy for line %d of\n%s", f.Line, text)
				}
				if text = f.Repaired; language().Parses(text) {
					return
				}
			}
			t.Errorf("not repaired: %s", text)
		})
	}
}

// language describes the configuration to package diagnose.
func language() diagnose.Language {
	return strict.LanguageOf(reflect.TypeFor[Config](), sink.Variants(sinks.Kinds()))
}

// The diagnosis of any text ends, and returns a position within the text.
func FuzzDiagnose(f *testing.F) {
	for _, m := range mistakes(f) {
		f.Add([]byte(m.text))
	}
	for _, path := range glob(f, "testdata/bad/syntax*.yaml", 5) {
		f.Add(readTestFile(f, path))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 || !utf8.Valid(text) || language().Parses(text) {
			return
		}
		fault := diagnose.Find(text, 1, language())
		lines := bytes.Split(text, []byte("\n"))
		if fault.Line < 1 || fault.Line > len(lines) || fault.Column < 1 || fault.Column > len(lines[fault.Line-1])+1 {
			t.Errorf("%d:%d is outside of the text", fault.Line, fault.Column)
		}
		checkErrors(t, Errors{{File: "fuzz.yaml", Message: fault.Message}})
		if fault.Repaired != nil && bytes.Equal(fault.Repaired, text) {
			t.Error("the repaired text is the same")
		}
	})
}
