// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// A style is how a terminal shows a text: the parameters of ECMA-48's SGR sequence.
type style string

const (
	plain   style = ""
	good    style = "32" // green
	warning style = "33" // yellow
	bad     style = "1;31"
)

// A styled text is a cell of a table in a style.
type styled struct {
	style style
	text  string
}

func (s styled) String() string { return s.text }

// usesColor reports whether styles are shown on f.
func usesColor(f *os.File) bool {
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (w *writer) paint(st style, text string) string {
	if !w.color || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// line prints a lead and a text. Text beyond the terminal's width is continued on the next line, below the
// beginning of the text.
func (w *writer) line(st style, lead, text string) {
	lead, text = visible(lead), visible(text)
	indent := utf8.RuneCountInString(lead)
	for i, part := range wrap(text, w.width-indent) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		fmt.Fprintln(w.out, strings.TrimRight(w.paint(st, lead)+part, " "))
	}
}

// fields prints names and texts in two columns.
func (w *writer) fields(fields [][2]string) {
	longest := 0
	for _, f := range fields {
		longest = max(longest, utf8.RuneCountInString(visible(f[0])))
	}
	for _, f := range fields {
		name := visible(f[0])
		if w.width > 0 && longest > w.width/2 { // the texts would have less than half of the width
			w.line(plain, "  "+name, "")
			w.line(plain, "    ", f[1])
			continue
		}
		w.line(plain, fmt.Sprintf("  %s%s  ", name, strings.Repeat(" ", longest-utf8.RuneCountInString(name))), f[1])
	}
}

// wrap divides a text at its spaces into lines of at most width characters, if width is positive. A longer
// word is divided.
func wrap(text string, width int) (lines []string) {
	for width > 0 && utf8.RuneCountInString(text) > width {
		end := byteOffset(text, width)
		if space := strings.LastIndexByte(text[:end+1], ' '); space > 0 {
			end = space
		}
		lines = append(lines, text[:end])
		text = strings.TrimPrefix(text[end:], " ")
	}
	return append(lines, text)
}

// byteOffset returns the offset of the character with that index.
func byteOffset(text string, index int) int {
	for offset := range text {
		if index == 0 {
			return offset
		}
		index--
	}
	return len(text)
}
