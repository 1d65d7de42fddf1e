// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"regexp"
	"strings"
)

var blockHeader = regexp.MustCompile(`^[|>][+-]?[1-9]?[+-]?$`)

// textBlocks finds a line that is indented less than the text that it belongs to: a text
// of several lines, which | or > begins.
func textBlocks(d *document) []proposal {
	l := d.lines[d.bad]
	first := -1 // line of the text
	for i := d.before(d.bad); i >= 0; i = d.before(i) {
		header := d.lines[i]
		if e := header.entry(); blockHeader.MatchString(header.text[e.value:e.end]) {
			return d.textBlock(i, first)
		}
		if header.indent < l.indent {
			return nil
		}
		first = i
	}
	return nil
}

func (d *document) textBlock(header, first int) []proposal {
	l, h := d.lines[d.bad], d.lines[header]
	indent, like := len(entryMarks.FindString(h.text))+2, ""
	if first >= 0 {
		indent, like = d.lines[first].indent, fmt.Sprintf(" like line %d", first+1)
	}
	if l.indent >= indent || first >= 0 && l.indent <= h.indent {
		return nil
	}
	return []proposal{{
		at: d.firstText(d.bad),
		message: fmt.Sprintf("this line belongs to the text that begins on line %d and is not indented enough; write %s before it%s",
			header+1, spaces(indent), like),
		alternatives: [][]edit{d.reindent(d.bad, indent)},
	}}
}

// templateCommands finds commands of a tool that generates configuration files.
func templateCommands(d *document) []proposal {
	var edits []edit
	at := -1
	for i, l := range d.lines {
		if strings.HasPrefix(l.text[l.indent:], "{{") || strings.HasPrefix(l.text[l.indent:], "{%") {
			edits = append(edits, edit{l.start, l.end, ""})
			if at < 0 && i >= d.suspects[0] {
				at = l.start + l.indent
			}
		}
	}
	if at < 0 {
		return nil
	}
	return []proposal{{
		at:           at,
		message:      "the line is a command of a template, which is not expanded; generate the file with the tool that the template is for",
		alternatives: [][]edit{edits},
	}}
}

var keyWithin = regexp.MustCompile(`^(\S*) ([a-z_0-9]+):(?: |$)`)

// lineBreaks finds what must be on a line of its own: "log: level: info".
func lineBreaks(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		e := d.lines[v.line].entry()
		from, at := e.content, 0
		switch m := keyWithin.FindStringSubmatchIndex(v.text); {
		case d.language.Kind(v.key) == Parts && (strings.HasPrefix(v.text, "- ") || keyWithin.MatchString(" "+v.text)):
			from += 2
		case m != nil && d.language.Kind(v.text[m[4]:m[5]]) != Unknown:
			at = m[4]
		default:
			continue
		}
		all = append(all, proposal{
			at:           v.at + at,
			message:      fmt.Sprintf("a line break is missing; write the text from here on to the next line, behind %s", spaces(from)),
			alternatives: [][]edit{{insert(v.at+at, "\n"+strings.Repeat(" ", from))}},
		})
	}
	return all
}
