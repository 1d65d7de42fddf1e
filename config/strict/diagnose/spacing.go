// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	joinedDash  = regexp.MustCompile(`^ *-([A-Za-z0-9_/"'{\[])`)
	joinedColon = regexp.MustCompile(`^[ \t]*(?:- +)*([A-Za-z_][A-Za-z0-9_-]*):([^\s:/].*|/.*|:\d.*)$`)
	equals      = regexp.MustCompile(`^[ \t]*(?:- +)*([A-Za-z_][A-Za-z0-9_-]*)( *= *)\S`)
	noColon     = regexp.MustCompile(`^[ \t]*(?:- +)*([A-Za-z_][A-Za-z0-9_-]*)( *)(.*)$`)
)

// missingSpaceAfterDash finds "-name: a".
func missingSpaceAfterDash(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		m := joinedDash.FindStringSubmatchIndex(l.text)
		if m == nil {
			continue
		}
		p := proposal{at: l.start + m[2], message: `a space is missing after "-"; write "- "`}
		// With the space, the following keys may no longer be aligned.
		for _, remove := range []int{0, 1} {
			if remove <= l.indent {
				p.alternatives = append(p.alternatives, []edit{{l.start, l.start + remove, ""}, insert(l.start+m[2], " ")})
			}
		}
		// Without indentation the first key moves to the right, and the others follow.
		aligned := []edit{insert(l.start+m[2], " ")}
		for _, j := range d.continuation(i) {
			aligned = append(aligned, insert(d.lines[j].start, " "))
		}
		p.alternatives = append(p.alternatives, aligned)
		all = append(all, p)
	}
	return all
}

// missingSpaceAfterColon finds "name:a".
func missingSpaceAfterColon(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		if m := joinedColon.FindStringSubmatchIndex(l.text); m != nil {
			at := l.start + m[3]
			all = append(all, proposal{
				at:           at,
				message:      fmt.Sprintf(`a space is missing after "%s:"; write "%[1]s: "`, shorten(l.text[m[2]:m[3]])),
				alternatives: [][]edit{{insert(at+1, " ")}},
			})
		}
	}
	return all
}

// equalsSigns finds "name = a".
func equalsSigns(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		if m := equals.FindStringSubmatchIndex(l.text); m != nil {
			all = append(all, proposal{
				at:           l.start + m[4] + strings.Index(l.text[m[4]:m[5]], "="),
				message:      fmt.Sprintf(`"=" does not separate a key from its value; write "%s: "`, shorten(l.text[m[2]:m[3]])),
				alternatives: [][]edit{{{l.start + m[4], l.start + m[5], ": "}}},
			})
		}
	}
	return all
}

// missingColons finds "name a", and a name alone above keys that belong to it.
func missingColons(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		m := noColon.FindStringSubmatchIndex(l.text)
		if m == nil || l.entry().key != "" || m[6] < m[7] && m[4] == m[5] {
			continue
		}
		if before := d.before(i); m[6] < m[7] && before >= 0 && d.language.Kind(l.text[m[2]:m[3]]) == Unknown && d.isContinued(before, i) {
			all = append(all, proposal{
				at:           l.start + l.indent,
				message:      "this line continues the value of the line before; indent it by 2 more spaces",
				alternatives: [][]edit{{insert(l.start, "  ")}},
			})
			continue
		}
		all = append(all, proposal{
			at:           l.start + m[3],
			message:      fmt.Sprintf(`a colon is missing after %q; write "%[2]s:"`, shorten(l.text[m[2]:m[3]]), shorten(l.text[m[2]:m[3]])),
			alternatives: [][]edit{{insert(l.start+m[3], ":")}},
		})
	}
	return all
}

// isContinued reports whether line i has a key with a value without quotes, and the line
// next the indentation of that key.
func (d *document) isContinued(i, next int) bool {
	l := d.lines[i]
	e := l.entry()
	return e.key != "" && e.value < e.end && strings.IndexByte("\"'[{|>", l.text[e.value]) < 0 && e.content == d.lines[next].indent
}
