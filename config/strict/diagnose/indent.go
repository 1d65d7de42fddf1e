// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/internal/sorting"
)

// A level is an indentation of a line above, which the next line may have too.
type level struct {
	indent int
	line   int
	what   string // "name", or the dash
	isDash bool
}

// levels returns the levels that are open before line i, the innermost first.
func (d *document) levels(i int) (all []level) {
	least := int(^uint(0) >> 1)
	for i = d.before(i); i >= 0 && least > 0; i = d.before(i) {
		l := d.lines[i]
		e := l.entry()
		if e.key != "" && e.content < least && !strings.Contains(l.text[:e.content], "\t") {
			all = append(all, level{e.content, i, fmt.Sprintf("%q", shorten(e.key)), false})
			least = e.content
		}
		for at := e.content - 1; at >= l.indent; at-- {
			if l.text[at] == '-' && at < least {
				all = append(all, level{at, i, `the "-"`, true})
				least = at
			}
		}
		least = min(least, l.indent)
	}
	return all
}

// indentations finds a line whose indentation fits no line above.
func indentations(d *document) (all []proposal) {
	l := d.lines[d.bad]
	levels := d.levels(d.bad)
	sorting.Stable(levels, func(a, b level) int { return abs(a.indent-l.indent) - abs(b.indent-l.indent) })
	var fitting []level
	for _, to := range levels {
		if to.indent != l.indent && len(fitting) < 2 && d.helps(apply(d.text, d.reindent(d.bad, to.indent))) {
			fitting = append(fitting, to)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	if first := fitting[0]; l.indent == 0 && d.isFirst(first) {
		return []proposal{d.firstIndented(first)}
	}
	if len(fitting) == 2 && abs(fitting[0].indent-l.indent) < abs(fitting[1].indent-l.indent) {
		fitting = fitting[:1]
	}
	remedies := make([]string, len(fitting))
	for i, to := range fitting {
		remedies[i] = fmt.Sprintf("write %s to align the line with %s on line %d", spaces(to.indent), to.what, to.line+1)
	}
	return []proposal{{
		at:           d.firstText(d.bad),
		message:      fmt.Sprintf("the indentation of %s fits no line above; %s", spaces(l.indent), strings.Join(remedies, ", or ")),
		alternatives: [][]edit{d.reindent(d.bad, fitting[0].indent)},
	}}
}

// isFirst reports whether a level is that of the first line: then that line is wrong.
func (d *document) isFirst(l level) bool { return d.before(l.line) < 0 }

func (d *document) firstIndented(first level) proposal {
	return proposal{
		at: d.firstText(first.line),
		message: fmt.Sprintf("%s is indented by %s, but line %d is not indented; remove the indentation",
			first.what, spaces(first.indent), d.bad+1),
		alternatives: [][]edit{d.reindent(first.line, 0), d.reindent(d.bad, first.indent)},
	}
}

func spaces(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}

func abs(n int) int { return max(n, -n) }
