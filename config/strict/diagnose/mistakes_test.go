// SPDX-License-Identifier: Apache-2.0

package diagnose

// A mistake is a text, the name of the checker that finds its fault, the position and the message.
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
		"trailing mark", "other: \"a\",\nlog: x\n",
		`1:11: "," does not end a line; remove it`,
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
