// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/internal/sorting"
)

// brackets finds an opening or closing bracket without its counterpart, and entries
// without a comma between them.
func brackets(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		e := l.entry()
		if e.value >= len(l.text) || strings.IndexByte("[{", l.text[e.value]) < 0 {
			continue
		}
		f := d.scan(l.start + e.value)
		all = append(all, d.extraBrackets(f)...)
		all = append(all, d.unclosedBrackets(f, i)...)
		all = append(all, d.textBehindBracket(f, i)...)
		all = append(all, d.missingCommas(f)...)
		all = append(all, d.flowValues(f, e.key)...)
	}
	return all
}

// unclosedBrackets finds a bracket that is not closed. The last of those that are not
// closed on their line is the most likely one.
func (d *document) unclosedBrackets(f flow, first int) (all []proposal) {
	if len(f.open) == 0 {
		return nil
	}
	if f.mismatched != nil {
		all = append(all, d.mismatched(f)...)
	}
	const most = 10
	for _, opener := range slices.Backward(f.openers[max(0, len(f.openers)-most):]) {
		p := proposal{at: opener.from, message: "the bracket [ is not closed; write ] behind the last entry"}
		if opener.kind == '{' {
			p.message = "the bracket { is not closed; write } behind the last key"
		}
		for _, at := range d.flowEnds(first, d.lineAt(opener.from)) {
			p.alternatives = append(p.alternatives, []edit{insert(at, string(rune(opener.kind+2)))})
		}
		all = append(all, p)
	}
	return all
}

// mismatched is for a closing bracket in the place of another closing bracket.
func (d *document) mismatched(f flow) (all []proposal) {
	opener, at := f.open[len(f.open)-1], f.mismatched.from
	is, want := d.text[at], opener.kind+2
	if next := at + 1; next < len(d.text) && d.text[next] == want {
		all = append(all, proposal{
			at:           at,
			message:      fmt.Sprintf("the brackets %c%c are in the wrong order; write %[2]c%[1]c", is, want),
			alternatives: [][]edit{{{at, at + 2, string([]byte{want, is})}}},
		})
	}
	return append(all, proposal{
		at:           opener.from,
		message:      fmt.Sprintf("the bracket %c is not closed; write %c before the %c on line %d", opener.kind, want, is, d.lineAt(at)+1),
		alternatives: [][]edit{{insert(at, string(rune(want)))}, {{at, at + 1, string(rune(want))}}},
	})
}

// flowEnds returns the likely places of the closing bracket: at the end of its
// line, before the first line that is not indented more, and at the end.
func (d *document) flowEnds(first, line int) (offsets []int) {
	end := func(i int) int {
		l := d.lines[i]
		return l.start + len(strings.TrimRight(l.text[:commentStart(l.text)], " \t,"))
	}
	offsets = append(offsets, end(line))
	for i := first + 1; i < len(d.lines); i++ {
		if l := d.lines[i]; !l.isBlank() && l.indent <= d.lines[first].indent {
			return append(offsets, end(d.before(i)))
		}
	}
	return append(offsets, end(len(d.lines)-1))
}

// extraBrackets finds a closing bracket without an opening bracket.
func (d *document) extraBrackets(f flow) []proposal {
	at := f.end
	if f.mismatched != nil {
		at = f.mismatched.from
	} else if len(f.open) > 0 || at >= len(d.text) || strings.IndexByte("]}", d.text[at]) < 0 {
		return nil
	}
	return []proposal{{
		at:           at,
		message:      fmt.Sprintf("no bracket is open that %c closes; remove it", d.text[at]),
		alternatives: [][]edit{{{at, at + 1, ""}}},
	}}
}

// textBehindBracket finds an entry behind the bracket instead of before it.
func (d *document) textBehindBracket(f flow, i int) []proposal {
	l := d.lines[i]
	end := l.start + l.entry().end
	if len(f.open) > 0 || f.end >= end || d.lineAt(f.end) != i {
		return nil
	}
	last := f.tokens[len(f.tokens)-1]
	return []proposal{{
		at:           f.end,
		message:      fmt.Sprintf("text follows the closing bracket; move the bracket %c behind it", last.kind),
		alternatives: [][]edit{{{last.from, last.from + 1, ""}, insert(end, string(rune(last.kind)))}},
	}}
}

// missingCommas finds adjacent texts, and a second colon in an entry.
func (d *document) missingCommas(f flow) (all []proposal) {
	for i := 1; i < len(f.tokens); i++ {
		before, t := f.tokens[i-1], f.tokens[i]
		at := -1
		switch {
		case d.isOneText(before, t):
		case isEnd(before.kind) && isBegin(t.kind):
			at = t.from
		case before.kind == 'p' && t.kind == ':' && i > 1 && f.tokens[i-2].kind == ':':
			text := string(d.text[before.from:d.trimmed(before)])
			if space := strings.LastIndexAny(text, " \t"); space > 0 {
				at = before.from + space + 1
			}
		}
		if at >= 0 {
			end := len(strings.TrimRight(string(d.text[:at]), " \t\r\n"))
			all = append(all, proposal{
				at:           at,
				message:      "a comma is missing before this text; write one",
				alternatives: [][]edit{{insert(end, ",")}},
			})
		}
	}
	return all
}

// isOneText reports whether two tokens are parts of one text: ${NAME}, or a text with quotes
// within its quotes.
func (d *document) isOneText(before, t token) bool {
	if d.trimmed(before) != t.from {
		return false
	}
	return t.kind == '{' && d.text[t.from-1] == '$' || (before.kind == '"' || before.kind == '\'') && t.kind == 'p'
}

// isEnd and isBegin report whether a token can be the end and the begin of an entry.
func isEnd(kind byte) bool { return strings.IndexByte(`]}"'p`, kind) >= 0 }

func isBegin(kind byte) bool { return strings.IndexByte(`[{"'p`, kind) >= 0 }

// flowValues finds an entry of a list, or the value of a key, that must be in quotes. The
// shortest such text is the cause.
func (d *document) flowValues(f flow, key string) (all []proposal) {
	var entries []value
	for i := 1; i < len(f.tokens); i++ {
		before := f.tokens[i-1].kind
		if f.tokens[i].within == '{' && before == ':' || f.tokens[i].within == '[' && (before == '[' || before == ',') {
			entries = append(entries, d.entriesAt(f, i, key)...)
		}
	}
	sorting.Stable(entries, func(a, b value) int { return len(a.text) - len(b.text) })
	for _, v := range entries[:min(len(entries), 50)] {
		at, why := v.fault()
		if why == "" {
			why = "an unquoted value in brackets cannot contain brackets or commas"
		}
		all = append(all, d.quote(v, at, why))
	}
	return all
}

// maxValue bounds the length of an entry that is tried in quotes.
const maxValue = 1000

// entriesAt returns the texts that are possibly intended as the entry that begins with
// token i, the longest first: up to each of the next brackets and commas on its line.
func (d *document) entriesAt(f flow, i int, key string) (all []value) {
	t := f.tokens[i]
	if f.tokens[i-1].kind == ':' && i > 1 {
		key = strings.Trim(string(d.text[f.tokens[i-2].from:d.trimmed(f.tokens[i-2])]), `"'`)
	}
	line := d.lineAt(t.from)
	for j := i; j < min(len(f.tokens), i+16); j++ {
		end := d.trimmed(f.tokens[j])
		if d.lineAt(end) != line {
			break
		}
		next := byte('}')
		if j+1 < len(f.tokens) {
			next = f.tokens[j+1].kind
		}
		if strings.IndexByte("]},", next) >= 0 && end > t.from && end < t.from+maxValue {
			all = append(all, value{line, t.from, key, string(d.text[t.from:end])})
		}
	}
	return all
}
