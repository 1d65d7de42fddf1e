// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"slices"
	"strings"
)

// A token is a part of a list or mapping in brackets. Numbers are offsets in the text.
type token struct {
	from, to int
	kind     byte // a bracket, a comma, a quote, ':' or 'p' for a plain text
	within   byte // the bracket around it
}

// A flow is what a scan of a list or mapping in brackets has found.
type flow struct {
	tokens     []token
	open       []token // brackets that are not closed
	openers    []token // brackets that are not closed on their line
	mismatched *token  // a closing bracket that does not close the last of open
	end        int     // where the scan ended
}

// maxTokens bounds a scan: people write fewer.
const maxTokens = 2000

// scan reads tokens until all brackets are closed.
func (d *document) scan(from int) (f flow) {
	for at := from; at < len(d.text) && len(f.tokens) < maxTokens; {
		t := d.token(at)
		if len(f.open) > 0 {
			t.within = f.open[len(f.open)-1].kind
		}
		f.tokens = append(f.tokens, t)
		switch t.kind {
		case '[', '{':
			f.open, f.openers = append(f.open, t), append(f.openers, t)
		case ']', '}':
			if last := f.open[len(f.open)-1].kind; last+2 != t.kind { // in ASCII the difference is two
				f.mismatched, f.end = &t, t.to
				return f
			}
			if last := f.open[len(f.open)-1]; d.lineAt(last.from) == d.lineAt(t.from) {
				f.openers = slices.DeleteFunc(f.openers, func(t token) bool { return t.from == last.from })
			}
			f.open = f.open[:len(f.open)-1]
		}
		at = t.to
		if f.end = at; len(f.open) == 0 {
			break
		}
	}
	return f
}

// token reads the token at an offset, and the blanks and comments behind it.
func (d *document) token(at int) token {
	t := token{from: at, kind: d.text[at]}
	switch end := d.quoted(at); {
	case end > at:
		t.to = end
	case strings.IndexByte("[]{},", t.kind) >= 0:
		t.to = at + 1
	case t.kind == ':':
		t.to = at + 1
	default:
		t.kind, t.to = 'p', d.plainEnd(at)
	}
	t.to = max(t.to, at+1)
	t.to = d.skipBlanks(t.to)
	return t
}

// quoted returns the end of the quoted text at an offset; 0 without one.
func (d *document) quoted(at int) int {
	const most = 4096
	if d.text[at] != '"' && d.text[at] != '\'' {
		return 0
	}
	return at + closingQuote(string(d.text[at:min(len(d.text), at+most)]), 0) + 1
}

// plainEnd returns the end of an unquoted text in brackets.
func (d *document) plainEnd(at int) int {
	for i := at; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case strings.IndexByte("[]{},\n", c) >= 0:
			return i
		case c == ':' && (i+1 == len(d.text) || strings.IndexByte(" \t\r\n,[]{}", d.text[i+1]) >= 0):
			return i
		case c == '#' && i > at && (d.text[i-1] == ' ' || d.text[i-1] == '\t'):
			return i
		}
	}
	return len(d.text)
}

func (d *document) skipBlanks(at int) int {
	for at < len(d.text) {
		switch d.text[at] {
		case ' ', '\t', '\r', '\n':
			at++
		case '#':
			for at < len(d.text) && d.text[at] != '\n' {
				at++
			}
		default:
			return at
		}
	}
	return at
}

// trimmed returns the end of a token without the blanks behind it.
func (d *document) trimmed(t token) int {
	text := string(d.text[t.from:t.to])
	if t.kind != 'p' {
		if end := closingQuote(text, 0); end > 0 {
			return t.from + end + 1
		}
		return t.from + 1
	}
	line, _, _ := strings.Cut(text, "\n")
	return t.from + len(strings.TrimRight(line[:commentStart(line)], " \t\r"))
}
