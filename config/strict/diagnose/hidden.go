// SPDX-License-Identifier: Apache-2.0

package diagnose

import "strings"

// commentsInBrackets finds a # that hides the bracket that closes a list or mapping.
func commentsInBrackets(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		e := l.entry()
		if e.value >= len(l.text) || strings.IndexByte("[{", l.text[e.value]) < 0 {
			continue
		}
		hash := e.value + commentStart(l.text[e.value:])
		if strings.ContainsAny(l.text[hash:], "]}") {
			all = append(all, proposal{
				at:           l.start + hash,
				message:      "# begins a comment, which hides the closing bracket; put the value that contains # into quotes as a whole",
				alternatives: [][]edit{{{l.start + hash, l.start + hash + 1, "_"}}},
			})
		}
	}
	return all
}
