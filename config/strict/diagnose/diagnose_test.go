// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// testLanguage is a small language: the key name accepts no spaces, and filter is public.
func testLanguage() Language {
	return Language{
		Parses: parses,
		Kind: func(key string) Kind {
			switch key {
			case "name", "filter", "level":
				return Scalar
			case "log", "sinks", "list":
				return Parts
			}
			return Unknown
		},
		IsPublic: func(key string) bool { return key == "filter" },
		Reject: func(key, text string) string {
			if key == "name" && strings.ContainsAny(text, " *[") {
				return "write a name without spaces"
			}
			return ""
		},
	}
}

// parses reports whether yaml.v3 accepts every document of a text. yaml.v3 can panic.
func parses(text []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.checker, func(t *testing.T) {
			f := Find([]byte(m.text), 1, testLanguage())
			if diff := cmp.Diff(m.want, fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", m.text, diff)
			}
			if got := firstChecker(m.text, f); got != m.checker {
				t.Errorf("%s\nfound by %q, want %q", m.text, got, m.checker)
			}
			if f.Repaired == nil || !parses(f.Repaired) {
				t.Errorf("%s\nthe repaired text is\n%s", m.text, f.Repaired)
			}
		})
	}
}

// firstChecker returns the first checker that proposes a fault.
func firstChecker(text string, f Fault) string {
	d := newDocument([]byte(text), 1, testLanguage())
	for _, c := range checkers {
		for _, p := range c.find(d) {
			if got := d.fault(p, nil); got.Line == f.Line && got.Column == f.Column && got.Message == f.Message {
				return c.name
			}
		}
	}
	return ""
}

func TestEveryCheckerHasATestCase(t *testing.T) {
	for _, c := range checkers {
		if !slices.ContainsFunc(mistakes, func(m mistake) bool { return m.checker == c.name }) {
			t.Errorf("no mistake for the checker %q", c.name)
		}
	}
}

func TestTextWithoutAKnownMistake(t *testing.T) {
	f := Find([]byte("a: 1\n? [\n  }}{\n"), 1, testLanguage())
	if f.Line < 2 || f.Column < 1 || f.Message == "" || f.Repaired != nil {
		t.Errorf("got %+v", f)
	}
}

// A secret in the file must not appear in a message: only values of public keys may.
func TestMessagesContainNoSecrets(t *testing.T) {
	for _, value := range []string{
		`hunter2: x`, `@hunter2`, `*hunter2 `, `'hunter2's'`, `"hunter2\d"`, `"hunter2`, `[hunter2`, `{hunter2`,
		`hunter2} #x`, "\thunter2: x", `"a" hunter2`,
	} {
		for _, frame := range []string{"key: %s\n", "a:\n  - key: %s\n    b: c\n", "list: [%s, b]\n", "list: {key: %s}\n"} {
			text := fmt.Sprintf(frame, value)
			if parses([]byte(text)) {
				continue
			}
			if f := Find([]byte(text), 1, testLanguage()); strings.Contains(f.Message, "hunter2") {
				t.Errorf("%q: %s", text, f.Message)
			}
		}
	}
}

// The diagnosis of a text of the maximum size must end soon.
func TestLargeTextsAreBounded(t *testing.T) {
	const size = 1 << 18
	for _, part := range []string{
		"[", "{a: ", "'", "\"\\d ", "a: [b\n", "- a: b: c\n", "*a ", "&a ",
		"# x\n", "\t\n", "{{ x }}\n", "<<<<<<< a\n", "a: \"b\n", "]\n", "- - - -a: @\n",
	} {
		text := []byte("k: @\n" + strings.Repeat(part, size/len(part)))
		watchdog := time.AfterFunc(60*time.Second, func() { panic(fmt.Sprintf("%q hangs", part)) })
		check(t, text)
		watchdog.Stop()
	}
}

// check fails for a position outside the text, and for a message that could control a terminal.
func check(t *testing.T, text []byte) {
	t.Helper()
	f := Find(text, 1, testLanguage())
	lines := bytes.Split(text, []byte("\n"))
	if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > utf8.RuneCount(lines[f.Line-1])+1 {
		t.Errorf("%.100q: %d:%d is outside of the text", text, f.Line, f.Column)
	}
	if f.Message == "" || strings.ContainsFunc(f.Message, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%.100q: message %q", text, f.Message)
	}
	if f.Repaired != nil && bytes.Equal(f.Repaired, text) {
		t.Errorf("%.100q: the remedy changes nothing", text)
	}
}

func FuzzFind(f *testing.F) {
	for _, m := range mistakes {
		f.Add([]byte(m.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 || !utf8.Valid(text) || parses(text) {
			return
		}
		watchdog := time.AfterFunc(60*time.Second, func() { panic("Find hangs") })
		defer watchdog.Stop()
		check(t, text)
	})
}
