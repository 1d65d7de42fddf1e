// SPDX-License-Identifier: Apache-2.0

package match

import (
	"strings"
	"testing"
)

// Each message contains the column of the cause and a remedy. The remedy is an
// expression that compiles.
func TestInvalidExpressions(t *testing.T) {
	tests := []struct{ text, want, remedy string }{
		{`kind = "gap"`, `column 6: "=" is not an operator; write ==`, `kind == "gap"`},
		{`seq > 5 & kind == "gap"`, `column 9: "&" is not an operator; write and`, `seq > 5 and kind == "gap"`},
		{`seq > 5 | kind == "gap"`, `column 9: "|" is not supported; write or`, `seq > 5 or kind == "gap"`},
		{`seq > 5 AND kind == "gap"`, `column 9: "AND" is not an operator; write and`, `seq > 5 and kind == "gap"`},
		{`message =~ "x"`, `column 9: "=~" is not an operator; write matches`, `message matches "x"`},
		{`message ~ "x"`, `column 9: "~" is not an operator; write matches`, `message matches "x"`},
		{`kind <> "gap"`, `column 6: "<>" is not an operator; write !=`, `kind != "gap"`},
		{`message startswith "x"`, `column 9: "startswith" is not an operator; write startsWith`, `message startsWith "x"`},
		{`message.contains("x")`, `column 9: contains is not a function here; write TEXT contains TEXT`, `message contains "x"`},
		{`contains(message, "x")`, `column 1: contains is an operator; write TEXT contains TEXT`, `message contains "x"`},
		{`hasPrefix(message, "x")`, `column 1: hasPrefix is not a function here; write TEXT startsWith TEXT`, `message startsWith "x"`},
		{`msg contains "x"`, `column 1: unknown name msg; write message`, `message contains "x"`},
		{`hsot == "a"`, `column 1: unknown name hsot; write host`, `host == "a"`},
		{`True`, `column 1: unknown name True; write true`, `true`},
		{`host == null`, `column 9: unknown name null; a field that is absent is empty or 0, so write "" or 0`, `host == ""`},
		{`gap.cont > 1`, `column 5: unknown field cont of gap; write gap.count or gap.reason`, `gap.count > 1`},
		{`labels == "web"`, `column 8: == cannot compare all labels; write one of them, such as labels.site`, `labels.site == "web"`},
		{
			`kind == gap`,
			`column 6: cannot apply == to a text and a gap; write "gap" in quotes for the text, or gap.count or gap.reason`,
			`kind == "gap"`,
		},
		{
			`time > "2026-01-01"`,
			`column 6: cannot apply > to a time and a text; write date("2026-01-31") for a time`,
			`time > date("2026-01-31")`,
		},
		{
			`seq contains "5"`,
			`column 5: cannot apply contains to a number and a text; write string(...) around the number`,
			`string(seq) contains "5"`,
		},
		{
			`not message contains "x"`,
			`column 1: not applies to the text only; write not (...) around the whole comparison`,
			`not (message contains "x")`,
		},
		{`seq`, `the expression returns a number, but must return true or false; write a comparison such as seq > 0`, `seq > 0`},
		{`gap`, `the expression returns a gap, but must return true or false; write a comparison such as gap.count > 0`, `gap.count > 0`},
		{`message contains `, `column 17: the expression ends too early; complete it after "contains"`, ""},
		{`(seq > 5 and (seq < 9)`, `column 1: the bracket ( is not closed`, `(seq > 5 and (seq < 9))`},
		{`seq > 5)`, `column 8: ) closes no open bracket; remove it`, `seq > 5`},
		{`message contains "x`, `column 18: the quote " is not closed`, `message contains "x"`},
		{`message contains “x”`, `column 18: “ is not a quote here; write "`, `message contains "x"`},
		{`seq ≥ 5`, `column 5: ≥ is not an operator; write >=`, `seq >= 5`},
		{`seq – 1 > 5`, `column 5: – is not an operator; write -`, `seq - 1 > 5`},
		{`message matches /x/`, `column 17: a pattern must be one text in quotes`, `message matches "x"`},
		{`"a" "b"`, `column 5: an operator is missing before b; write one such as and, == or contains`, ""},
	}
	for _, tt := range tests {
		_, err := Compile(Options{Filter: tt.text})
		if err == nil || strings.TrimPrefix(err.Error(), "filter: ") != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.text, err, tt.want)
		}
		if _, err := Compile(Options{Filter: tt.remedy}); err != nil {
			t.Errorf("%s: the remedy does not compile: %v", tt.remedy, err)
		}
	}
}

// The position of an error is within the expression, for any text.
func FuzzInvalidExpression(f *testing.F) {
	for _, text := range []string{`a = b`, `"`, `(`, "a\nb", `x ~`, `|`, `é &`, `'\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, message := range []string{
			"unexpected token EOF", `unexpected token Operator("=")`, "literal not terminated",
			"unrecognized character: U+007E '~'", "expected bool, but got string",
		} {
			m := mistake{text: []rune(text), at: len(text) / 2, message: message}
			m.explain()
			if m.at < 0 || m.at > len(m.text) || m.line < 1 || m.column < 1 || m.message == "" {
				t.Errorf("%q: %+v", text, m)
			}
		}
	})
}
