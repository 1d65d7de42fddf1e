// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// escapes finds a backslash that double quotes do not know: "\d".
func escapes(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		e := l.entry()
		for from := e.value; from < e.end; from++ {
			if l.text[from] != '"' || from > e.value && strings.IndexByte("[{,: ", l.text[from-1]) < 0 {
				continue
			}
			end := closingQuote(l.text[:e.end], from)
			if end < 0 {
				end = e.end
			}
			if at := badEscape(l.text[from:end]); at >= 0 {
				all = append(all, d.badEscape(value{i, l.start + from, e.key, l.text[from:min(end+1, e.end)]}, at))
			}
			from = end
		}
	}
	return all
}

func (d *document) badEscape(v value, at int) proposal {
	inner := strings.TrimSuffix(v.text[1:], `"`)
	quoted := SingleQuoted(strings.ReplaceAll(inner, `\"`, `"`))
	shown, _ := utf8.DecodeRuneInString(v.text[at+1:])
	how := d.howToQuote(v, quoted, "put the value into single quotes")
	if !d.isWholeValue(v) {
		how = "put the text into single quotes"
	}
	return proposal{
		at:           v.at + at,
		message:      fmt.Sprintf(`the escape \%c is not valid in double quotes; %s, or write the backslash twice`, shown, how),
		alternatives: [][]edit{{{v.at, v.at + len(v.text), quoted}}, doubleBackslashes(v, at)},
	}
}

func (d *document) isWholeValue(v value) bool {
	l := d.lines[v.line]
	e := l.entry()
	return l.start+e.value == v.at && e.end-e.value == len(v.text)
}

// doubleBackslashes leaves the valid escapes as they are.
func doubleBackslashes(v value, from int) (edits []edit) {
	for at := from; at >= 0; {
		edits = append(edits, insert(v.at+at, `\`))
		next := badEscape(v.text[at+2:])
		if next < 0 {
			break
		}
		at += 2 + next
	}
	return edits
}

// badEscape returns the offset of the first escape that is not valid; -1 without one.
func badEscape(text string) int {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[i+1]]
		switch {
		case digits > 0:
			if !isHex(text[i+2:], digits) {
				return i
			}
		case strings.IndexByte("0abt\tnvfre \"'\\N_LP", text[i+1]) < 0:
			return i
		}
		i++
	}
	return -1
}

func isHex(text string, digits int) bool {
	if len(text) < digits {
		return false
	}
	return strings.Trim(text[:digits], "0123456789abcdefABCDEF") == ""
}
