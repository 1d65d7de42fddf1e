// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// An editor must find the position of an error within a text, in each style of YAML.
func TestFaultWithinReportsThePositionInTheText(t *testing.T) {
	const sink = "sinks:\n  - name: a\n    stdout: {}\n    envelope: template\n"
	for name, text := range map[string]string{
		"plain":                               sink + "    template: aé X\n",
		"single quotes":                       sink + "    template: 'it''s X'\n",
		"double quotes":                       sink + `    template: "\"\x41\u00e9\U0001f600\n\\ X"` + "\n",
		"block":                               sink + "    template: |\n      a\n\n        é X\n",
		"block, chomped, with an indentation": sink + "    template: |2-\n        é X\n      y\n",
		"block with a comment and CRLF":       sink + "    template: | # a comment\r\n      a X\r\n",
		"flow":                                "sinks:\n  - {name: a, stdout: {}, envelope: template, template: '{ X'}\n",
		"merge": "x-all: &all\n  envelope: template\n  template: |\n    a\n    X\n" +
			"sinks:\n  - <<: *all\n    name: a\n    stdout: {}\n",
	} {
		c, err := Parse("t.yaml", []byte(text), sinks.Kinds())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		line, column := find(c.Sinks[0].Template, "X")
		got := c.FaultWithin("sinks[0].template", line, column, "x")
		wantLine, wantColumn := find(text, "X")
		if got.Line != wantLine || got.Column != wantColumn {
			t.Errorf("%s: %d:%d of the text is at %d:%d, got %d:%d", name, line, column, wantLine, wantColumn, got.Line, got.Column)
		}
	}
}

func find(text, part string) (line, column int) {
	before, _, _ := strings.Cut(text, part)
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])
}

// YAML folds the lines of these texts into one.
func TestFaultWithinFoldedTextHasAPosition(t *testing.T) {
	for _, text := range []string{
		"template: >\n      a\n      X\n", "template: a\n      X\n", "template: \"a\n      X\"\n",
		"template: \"a\\\n      X\"\n", "template: 'it''s\n\n      X'\n",
	} {
		c, err := Parse("t.yaml", []byte("sinks:\n  - name: a\n    stdout: {}\n    envelope: template\n    "+text), sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		line, column := find(c.Sinks[0].Template, "X")
		wantLine, wantColumn := find("\n\n\n\n    "+text, "X")
		if got := c.FaultWithin("sinks[0].template", line, column, "x"); got.Line != wantLine || got.Column != wantColumn {
			t.Errorf("%q: got %d:%d, want %d:%d", text, got.Line, got.Column, wantLine, wantColumn)
		}
	}
}

func FuzzFaultWithin(f *testing.F) {
	f.Add("a: 'b'", 1, 1)
	f.Add("\"\\x4", 1, 9)
	f.Add("|\n  a", 2, 0)
	f.Add("|+2\n\n  \n", 7, -3)
	f.Fuzz(func(t *testing.T, value string, line, column int) {
		text := "sinks:\n  - name: a\n    stdout: {}\n    envelope: template\n    template: " + value
		c, err := Parse("t.yaml", []byte(text), sinks.Kinds())
		if err != nil {
			return
		}
		got := c.FaultWithin("sinks[0].template", line, column, "x")
		lines := strings.Split(text, "\n")
		if got.Line < 1 || got.Line > len(lines) || got.Column < 1 || got.Column > utf8.RuneCountInString(lines[got.Line-1])+1 {
			t.Errorf("%q: position %d:%d is outside", text, got.Line, got.Column)
		}
	})
}
