// SPDX-License-Identifier: Apache-2.0

package diagnose

import "strings"

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

// reindent changes the indentation of line i.
func (d *document) reindent(i, indent int) []edit {
	l := d.lines[i]
	blanks := len(l.text) - len(strings.TrimLeft(l.text, " \t"))
	edits := []edit{{l.start, l.start + blanks, strings.Repeat(" ", indent)}}
	if rest := l.text[blanks:]; strings.HasPrefix(rest, "-\t") {
		edits = append(edits, edit{l.start + blanks + 1, l.start + blanks + 2, " "})
	}
	return edits
}
