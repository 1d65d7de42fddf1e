// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// copyable returns the characters that a formatter would replace, such as - by a hyphen and '
// by a closing quote. A reader must be able to copy an option or a filter.
func copyable() []string {
	return []string{"-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`}
}

// literal returns a line of text that is shown byte for byte.
func literal(line string) string {
	line = strings.NewReplacer(append(copyable(), `\`, `\e`)...).Replace(line)
	if strings.HasPrefix(line, ".") {
		line = `\&` + line
	}
	return line
}

// readable returns a line of mdoc with all characters copyable. Lines that begin displays and
// lists have options and remain unchanged.
func readable(line string) string {
	for _, prefix := range []string{`.\"`, ".Bl ", ".Bd "} {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return strings.NewReplacer(copyable()...).Replace(line)
}

// maxLine is the length of a line that mandoc -Tlint accepts.
const maxLine = 78

// fill breaks prose into lines of mdoc, each sentence on lines of its own.
func fill(text string) string {
	var out, line strings.Builder
	end := func() {
		if line.Len() > 0 {
			out.WriteString(line.String() + "\n")
			line.Reset()
		}
	}
	for _, word := range strings.Fields(text) {
		shown := literal(word)
		if line.Len()+1+len(shown) > maxLine {
			end()
		}
		if line.Len() > 0 {
			line.WriteString(" ")
		}
		line.WriteString(shown)
		if endsSentence(word) {
			end()
		}
	}
	end()
	return out.String()
}

func endsSentence(word string) bool {
	return strings.HasSuffix(word, ".") || strings.HasSuffix(word, "?") || strings.HasSuffix(word, "!")
}
