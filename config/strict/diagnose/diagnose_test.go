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

// garden is a small language: the key name accepts no spaces, and filter is public.
func garden() Language {
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

// A mistake is a text, the name of the checker that finds its fault, the place and the message.
type mistake struct{ checker, text, want string }

var mistakes = []mistake{
	{
		"merge conflict", "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n",
		"2:1: the line marks a merge conflict; resolve the conflict and remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
	},
	{
		"directive", "%FOO\na: 1\n",
		"1:1: a line that begins with % is not supported; remove it",
	},
	{
		"end of document", "log:\n  level: a\n...\n  b: 1\n",
		`3:1: "..." ends the configuration, but more text follows; remove this line`,
	},
	{
		"template command", "{{ if x }}\na: 1\n{{ end }}\n",
		"1:1: the line is a command of a template, which is not expanded; generate the file with the tool that the template is for",
	},
	{
		"block of text", "a:\n  b: |\n    one\n   two\n",
		"4:4: this line belongs to the text that begins on line 2 and is not indented enough; write 4 spaces before it like line 3",
	},
	{
		"tab", "log:\n\tlevel: debug\n",
		"2:1: a tab indents this line; replace it with spaces",
	},
	{
		"special space", "log:\n\u00a0\u00a0level: debug\n",
		"2:1: U+00A0 (no-break space) looks like a space but is not one; replace it with a space, or remove it",
	},
	{
		"wide mark", "log：\n  level: debug\n",
		`1:4: "：" is not a colon; write ": "`,
	},
	{
		"wide mark", "sinks:\n  – name: a\n    level: b\n",
		`2:3: "–" does not begin an entry of a list; write "- "`,
	},
	{
		"unknown alias", "a: *b\n",
		"1:4: * refers to a value that is not marked; write & and the same name before that value, or quote a text that begins with *",
	},
	{
		"unknown alias", "a: *b\nc: &b 1\n",
		"1:4: * refers to a value that is marked only later, on line 2; move the marked value before this line",
	},
	{
		"escape", `filter: "\d+"` + "\n",
		`1:10: the escape \d is not valid in double quotes; write filter: '\d+', or write the backslash twice`,
	},
	{
		"escape", `other: "\d \n"` + "\n",
		`1:9: the escape \d is not valid in double quotes; put the value into single quotes, or write the backslash twice`,
	},
	{
		"inner quote", "filter: 'don't'\n",
		"1:13: this quote ends the value too early; write '' for a ' within single quotes: write filter: 'don''t'",
	},
	{
		"scalar", "filter: [a] == b\n",
		`1:9: an unquoted value cannot begin with "["; write filter: '[a] == b'`,
	},
	{
		"unclosed quote", "other: \"text\nb: 1\n",
		`1:8: this quote is not closed; write another " at the end of the text`,
	},
	{
		"unclosed quote", "other: [\"text, b]\nb: 1\n",
		`1:9: this quote is not closed; write another " at the end of the text`,
	},
	{
		"line break", "log: level: debug\n",
		"1:6: a line break is missing; write the text from here on to the next line, behind 2 spaces",
	},
	{
		"comment in brackets", "list: [a, #b]\nc: 1\n",
		"1:11: # begins a comment, which hides the closing bracket; put the value that contains # into quotes as a whole",
	},
	{
		"brackets", "list: [a, b\nc: 1\n",
		"1:7: the bracket [ is not closed; write ] behind the last entry",
	},
	{
		"brackets", "list: {a: 1\nc: 1\n",
		"1:7: the bracket { is not closed; write } behind the last key",
	},
	{
		"brackets", "list: [a, b]]\n",
		"1:13: no bracket is open that ] closes; remove it",
	},
	{
		"brackets", "list: [{a: 1]}\n",
		"1:13: the brackets ]} are in the wrong order; write }]",
	},
	{
		"brackets", "list: [{a: 1], b]\n",
		"1:8: the bracket { is not closed; write } before the ] on line 1",
	},
	{
		"brackets", "list: [a, b] c\n",
		"1:14: text follows the closing bracket; move the bracket ] behind it",
	},
	{
		"brackets", "list: [\"a\" \"b\"]\n",
		"1:12: a comma is missing before this text; write one",
	},
	{
		"space after dash", "sinks:\n  -name: a\n   level: b\n",
		`2:4: a space is missing after "-"; write "- "`,
	},
	{
		"space after colon", "log:\n  level:debug\n  other: x\n",
		`2:8: a space is missing after "level:"; write "level: "`,
	},
	{
		"equals sign", "log:\n  level = debug\n  other: x\n",
		`2:9: "=" does not separate a key from its value; write "level: "`,
	},
	{
		"missing colon", "log\n  level: debug\n",
		`1:4: a colon is missing after "log"; write "log:"`,
	},
	{
		"slashes", "a: 1\n// text\nb: 2\n",
		`2:1: "//" does not begin a comment; write #`,
	},
	{
		"indentation", "log:\n    level: a\n  other: b\n",
		`3:3: the indentation of 2 spaces fits no line above; ` +
			`write 4 spaces to align the line with "level" on line 2, or write 0 spaces to align the line with "log" on line 1`,
	},
	{
		"indentation", "  log: 1\nother: b\n",
		`1:3: "log" is indented by 2 spaces, but line 2 is not indented; remove the indentation`,
	},
	{
		"value", "filter: a: b\n",
		"1:10: an unquoted value cannot contain a colon before a space; write filter: 'a: b'",
	},
	{
		"value", "other: @x\n",
		`1:8: an unquoted value cannot begin with "@"; put the whole value into single quotes`,
	},
	{
		"value", "other: it's: b\n",
		"1:12: an unquoted value cannot contain a colon before a space; put the whole value into single quotes, and write each ' within it twice",
	},
	{
		"unknown alias", "name: *a b\n",
		"1:7: * refers to a value that is not marked; write & and the same name before that value, or quote a text that begins with *",
	},
	{
		"value", "other: \"a\" b\n",
		"1:12: text follows the closing quote of this value; put the whole value into single quotes",
	},
}

func TestMistakes(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.checker, func(t *testing.T) {
			f := Find([]byte(m.text), 1, garden())
			if diff := cmp.Diff(m.want, fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", m.text, diff)
			}
			if got := finder(m.text, f); got != m.checker {
				t.Errorf("%s\nfound by %q, want %q", m.text, got, m.checker)
			}
			if f.Repaired == nil || !parses(f.Repaired) {
				t.Errorf("%s\nthe remedy gives\n%s", m.text, f.Repaired)
			}
		})
	}
}

// finder returns the first checker that proposes a fault.
func finder(text string, f Fault) string {
	d := newDocument([]byte(text), 1, garden())
	for _, c := range checkers {
		for _, p := range c.find(d) {
			if got := d.fault(p, nil); got.Line == f.Line && got.Column == f.Column && got.Message == f.Message {
				return c.name
			}
		}
	}
	return ""
}

func TestEveryCheckerHasAMistake(t *testing.T) {
	for _, c := range checkers {
		if !slices.ContainsFunc(mistakes, func(m mistake) bool { return m.checker == c.name }) {
			t.Errorf("no mistake for the checker %q", c.name)
		}
	}
}

func TestATextWithoutAKnownMistake(t *testing.T) {
	f := Find([]byte("a: 1\n? [\n  }}{\n"), 1, garden())
	if f.Line < 2 || f.Column < 1 || f.Message == "" || f.Repaired != nil {
		t.Errorf("got %+v", f)
	}
}

// A secret in the file must not appear in a message: only values of public keys may.
func TestMessagesDoNotRepeatSecrets(t *testing.T) {
	for _, value := range []string{
		`hunter2: x`, `@hunter2`, `*hunter2 `, `'hunter2's'`, `"hunter2\d"`, `"hunter2`, `[hunter2`, `{hunter2`,
		`hunter2} #x`, "\thunter2: x", `"a" hunter2`,
	} {
		for _, frame := range []string{"key: %s\n", "a:\n  - key: %s\n    b: c\n", "list: [%s, b]\n", "list: {key: %s}\n"} {
			text := fmt.Sprintf(frame, value)
			if parses([]byte(text)) {
				continue
			}
			if f := Find([]byte(text), 1, garden()); strings.Contains(f.Message, "hunter2") {
				t.Errorf("%q: %s", text, f.Message)
			}
		}
	}
}

// The diagnosis of a text as large as a file may be must end soon.
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

// check reports a place outside of the text, and a message that a terminal could act on.
func check(t *testing.T, text []byte) {
	t.Helper()
	f := Find(text, 1, garden())
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
