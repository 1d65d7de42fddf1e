// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"regexp"
	"strings"
)

var conflictMark = regexp.MustCompile(`^(<{7}|={7}|>{7})( |$)`)

// conflictMarkers finds what a version control system leaves in a file.
func conflictMarkers(d *document) (all []proposal) {
	for _, i := range d.suspects {
		if l := d.lines[i]; conflictMark.MatchString(l.text) {
			all = append(all, proposal{
				at:           l.start,
				message:      "the line marks a merge conflict; resolve the conflict and remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
				alternatives: [][]edit{d.removeConflict(i)},
			})
		}
	}
	return all
}

// removeConflict keeps the first of the two versions.
func (d *document) removeConflict(from int) (edits []edit) {
	second := false
	for _, l := range d.lines[from:] {
		second = second || strings.HasPrefix(l.text, "=======")
		if second || conflictMark.MatchString(l.text) {
			edits = append(edits, edit{l.start, l.end, ""})
		}
		if strings.HasPrefix(l.text, ">>>>>>>") {
			break
		}
	}
	return edits
}

// directives finds lines such as %YAML 1.2.
func directives(d *document) (all []proposal) {
	for _, i := range d.suspects {
		if l := d.lines[i]; strings.HasPrefix(l.text, "%") {
			all = append(all, proposal{
				at:           l.start,
				message:      "a line that begins with % is not supported; remove it",
				alternatives: [][]edit{{{l.start, l.end, ""}}},
			})
		}
	}
	return all
}

// documentEnds finds a "..." that does not end the file.
func documentEnds(d *document) (all []proposal) {
	for _, i := range d.suspects {
		if l := d.lines[i]; strings.TrimRight(l.text, " \t") == "..." {
			all = append(all, proposal{
				at:           l.start,
				message:      `"..." ends the configuration, but more text follows; remove this line`,
				alternatives: [][]edit{{{l.start, l.end, ""}}},
			})
		}
	}
	return all
}

// slashComments finds comments of other languages.
func slashComments(d *document) (all []proposal) {
	for _, i := range d.suspects {
		for _, mark := range []string{"//", "/*", ";"} {
			if at := d.firstText(i); strings.HasPrefix(d.lines[i].text[d.lines[i].indent:], mark) {
				all = append(all, proposal{
					at:           at,
					message:      fmt.Sprintf("%q does not begin a comment; write #", mark),
					alternatives: [][]edit{{{at, at + len(mark), "#"}}},
				})
			}
		}
	}
	return all
}

// maxAliases bounds how many aliases of one line are looked up.
const maxAliases = 20

// unknownAliases finds a * whose name no line before defines.
func unknownAliases(d *document) (all []proposal) {
	l := d.lines[d.bad]
	for _, m := range alias.FindAllStringSubmatchIndex(l.text, maxAliases) {
		name := l.text[m[4]:m[5]]
		anchor := anchorOf(name)
		if anchor.Match(d.text[:l.start]) {
			continue
		}
		// Without the name, which may be a secret that begins with *.
		message := "* refers to a value that is not marked; write & and the same name before that value, or quote a text that begins with *"
		if at := anchor.FindIndex(d.text[l.start:]); at != nil {
			message = fmt.Sprintf("* refers to a value that is marked only later, on line %d; move the marked value before this line",
				1+d.lineAt(l.start+at[1]-1))
		}
		all = append(all, proposal{
			at: l.start + m[4] - 1, message: message,
			alternatives: [][]edit{{{l.start + m[4] - 1, l.start + m[5], "{}"}}, {{l.start + m[4] - 1, l.start + m[5], "x"}}},
		})
	}
	return all
}

var alias = regexp.MustCompile(`(^|[\s\[{,:])\*([A-Za-z0-9_-]+)`)

func anchorOf(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)(^|[\s\[{,:])&` + regexp.QuoteMeta(name) + `(\s|$|[,\]}])`)
}
