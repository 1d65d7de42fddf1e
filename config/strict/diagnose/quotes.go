// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"strings"
)

// innerQuotes finds a quote within a text that the same quotes enclose: 'don't'.
func innerQuotes(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		end := closingQuote(v.text, 0)
		last := len(v.text) - 1
		if end < 0 || end >= last || v.text[last] != v.text[0] || !isWordByte(v.text[end+1]) && v.text[end-1] != '\\' {
			continue
		}
		inner, how, quoted := v.text[1:last], `write \" for a " within double quotes`, ""
		if v.text[0] == '"' {
			quoted = `"` + strings.ReplaceAll(strings.ReplaceAll(inner, `\"`, `"`), `"`, `\"`) + `"`
		} else {
			how = "write '' for a ' within single quotes"
			quoted = SingleQuoted(strings.ReplaceAll(strings.ReplaceAll(inner, `\'`, "'"), "''", "'"))
		}
		if d.language.IsPublic(v.key) && len(quoted) <= maxShown && isPrintable(quoted) {
			how += fmt.Sprintf(": write %s: %s", v.key, quoted)
		}
		all = append(all, proposal{
			at:           v.at + end,
			message:      "this quote ends the value too early; " + how,
			alternatives: [][]edit{{{v.at, v.at + len(v.text), quoted}}},
		})
	}
	return all
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// unclosedQuotes finds a quote that no quote on its line closes.
func unclosedQuotes(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		if at, quote := unclosed(v.text); at >= 0 {
			end := v.at + len(v.text)
			p := proposal{at: v.at + at, message: fmt.Sprintf("this quote is not closed; write another %c at the end of the text", quote)}
			for _, close := range closers(v.text, at) {
				p.alternatives = append(p.alternatives, []edit{insert(v.at+close, string(quote))})
			}
			p.alternatives = append(p.alternatives, []edit{insert(end, string(quote))})
			for _, i := range d.continuation(v.line) {
				p.alternatives = append(p.alternatives, []edit{insert(d.lines[i].end, string(quote))})
			}
			all = append(all, p)
		}
	}
	return all
}

// continuation returns the lines after line i that are indented more.
func (d *document) continuation(i int) (lines []int) {
	const most = 20
	for j := i + 1; j < min(len(d.lines), i+most) && (d.lines[j].indent > d.lines[i].indent || d.lines[j].isBlank()); j++ {
		lines = append(lines, j)
	}
	return lines
}

// unclosed returns the quote of a value, or of an entry in brackets, that is not closed
// on the line.
func unclosed(text string) (int, byte) {
	if text[0] == '"' || text[0] == '\'' {
		if closingQuote(text, 0) < 0 {
			return 0, text[0]
		}
		return -1, 0
	}
	if text[0] != '[' && text[0] != '{' {
		return -1, 0
	}
	for i := 1; i < len(text); i++ {
		if c := text[i]; (c == '"' || c == '\'') && strings.IndexByte("[{,: ", text[i-1]) >= 0 {
			end := closingQuote(text, i)
			if end < 0 {
				return i, c
			}
			i = end
		}
	}
	return -1, 0
}

// closers returns the likely places of the quote that closes the one at offset from: before
// the brackets and commas that follow it.
func closers(text string, from int) (offsets []int) {
	if from == 0 {
		return nil
	}
	for i := from + 1; i < len(text); i++ {
		if strings.IndexByte(",]}", text[i]) >= 0 {
			offsets = append(offsets, i)
		}
	}
	return offsets
}
