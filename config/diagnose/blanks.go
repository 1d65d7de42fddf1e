// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tabs finds tabs in the indentation, or between a dash and the entry of a list.
func tabs(d *document) (all []proposal) {
	for _, i := range []int{d.bad, d.suspects[0]} {
		l := d.lines[i]
		blanks := len(l.text) - len(strings.TrimLeft(l.text, " \t-"))
		at := strings.IndexByte(l.text[:blanks], '\t')
		if at < 0 {
			continue
		}
		p := proposal{at: l.start + at, message: "a tab indents this line; replace it with spaces"}
		for _, indent := range d.indentsFor(i) {
			p.alternatives = append(p.alternatives, d.reindent(i, indent))
		}
		p.alternatives = append(p.alternatives, []edit{{l.start, l.start + blanks, strings.ReplaceAll(l.text[:blanks], "\t", " ")}})
		all = append(all, p)
	}
	return all
}

// indentsFor returns the indentations that line i may have by the lines before it.
func (d *document) indentsFor(i int) (indents []int) {
	for _, level := range d.levels(i) {
		indents = append(indents, level.indent)
	}
	if before := d.before(i); before >= 0 {
		indents = append(indents, d.lines[before].indent+2, len(entryMarks.FindString(d.lines[before].text))+2)
	}
	return indents
}

// reindent gives line i another indentation.
func (d *document) reindent(i, indent int) []edit {
	l := d.lines[i]
	blanks := len(l.text) - len(strings.TrimLeft(l.text, " \t"))
	edits := []edit{{l.start, l.start + blanks, strings.Repeat(" ", indent)}}
	if rest := l.text[blanks:]; strings.HasPrefix(rest, "-\t") {
		edits = append(edits, edit{l.start + blanks + 1, l.start + blanks + 2, " "})
	}
	return edits
}

// specialSpaces finds characters that look like a space or like nothing, which word
// processors and chat programs write in place of a space.
func specialSpaces(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		for at, c := range l.text {
			if !isSpecialSpace(c) {
				continue
			}
			all = append(all, proposal{
				at:           l.start + at,
				message:      fmt.Sprintf("%U looks like a space but is not one; replace it with a space", c),
				alternatives: [][]edit{d.replaceSpecialSpaces(i, " "), d.replaceSpecialSpaces(i, "")},
			})
			break
		}
	}
	return all
}

func (d *document) replaceSpecialSpaces(i int, with string) (edits []edit) {
	l := d.lines[i]
	for at, c := range l.text {
		if isSpecialSpace(c) {
			edits = append(edits, edit{l.start + at, l.start + at + utf8.RuneLen(c), with})
		}
	}
	return edits
}

func isSpecialSpace(c rune) bool {
	return c > unicode.MaxASCII && unicode.Is(unicode.Zs, c) || c == '\ufeff' || c >= '\u200b' && c <= '\u200d' || c == '\u2060'
}
