// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A written is a text with its quotes, escapes and indentation.
type written struct {
	at    position
	style yaml.Style
	value string
	lines []string // of the file, from the line where the text begins
}

// remember stores a text of the file for place.
func (r *Report) remember(path string, n *yaml.Node) {
	first := n.Line - 1
	if first < 0 || first >= len(r.lines) || len(r.lines[first]) > maxLine {
		return
	}
	last, rest := first+1, countSolid(n.Value)-countSolid(r.lines[first])
	for ; last < len(r.lines) && (rest > -n.Column || last < first+2); last++ {
		rest -= countSolid(r.lines[last])
	}
	r.texts[path] = written{positionOf(n), n.Style, n.Value, r.lines[first:min(last+1, len(r.lines))]}
}

// place returns the place in the file of a line and column of the text. It returns false
// if the place is not known.
func (w *written) place(line, column int) (position, bool) {
	if line < 1 {
		return position{}, false
	}
	at, ok := position{}, false
	switch {
	case w.style&yaml.LiteralStyle != 0:
		at, ok = w.inBlock(line, column)
	case w.style&yaml.FoldedStyle == 0:
		at, ok = w.inLine(line, column)
	}
	if ok {
		return at, true
	}
	return w.aligned(line, column)
}

// inBlock is for the style "|", which keeps lines as they are after their indentation.
func (w *written) inBlock(line, column int) (position, bool) {
	values := strings.Split(w.value, "\n")
	if line > len(values) || line >= len(w.lines) {
		return position{}, false
	}
	text := strings.TrimSuffix(w.lines[line], "\r")
	indentation, ok := strings.CutSuffix(text, values[line-1])
	if !ok || strings.Trim(indentation, " ") != "" {
		return position{}, false
	}
	return position{w.at.line + line, utf8.RuneCountInString(indentation) + max(column, 1)}, true
}

// inLine is for a text on one line of the file. The line of the text counts the line
// breaks that it has by escapes.
func (w *written) inLine(line, column int) (position, bool) {
	text := []rune(w.lines[0])
	i, quote := w.at.column-1, rune(0)
	if i < len(text) && w.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		quote = text[i]
		i++
	}
	for at := (position{1, 1}); i < len(text); {
		if at.line == line && at.column >= column {
			return position{w.at.line, i + 1}, !isContinued(text[i:], quote)
		}
		value, n := character(text[i:], quote)
		switch {
		case n == 0:
			return position{}, false
		case value == '\n':
			at = position{at.line + 1, 1}
		default:
			at.column++
		}
		i += n
	}
	return position{}, false
}

// isTruncation matches the errors of a text that ends too early.
var isTruncation = regexp.MustCompile(`is not closed$|ends too early|missing closing|is empty$`)

// isContinued reports whether the text continues in the next line.
func isContinued(text []rune, quote rune) bool {
	return quote == '"' && len(text) == 1 && text[0] == '\\'
}

// escapeDigits is how many hexadecimal digits an escape has.
func escapeDigits(escape rune) int {
	switch escape {
	case 'x':
		return 2
	case 'u':
		return 4
	case 'U':
		return 8
	}
	return 0
}

// character reads one character of a text with the given quote, and returns it with its
// length in the file. The length is 0 at the end.
func character(text []rune, quote rune) (value rune, n int) {
	switch {
	case quote == '\'' && text[0] == '\'':
		if len(text) > 1 && text[1] == '\'' {
			return '\'', 2
		}
		return 0, 0
	case quote == '"' && text[0] == '"':
		return 0, 0
	case quote != '"' || text[0] != '\\':
		return text[0], 1
	case len(text) < 2:
		return 0, 0
	}
	n = 2 + escapeDigits(text[1])
	if n > len(text) {
		return 0, 0
	}
	unquoted, err := strconv.Unquote(`"` + string(text[:n]) + `"`)
	if err != nil { // an escape that Go does not know is one character
		return 0, n
	}
	value, _ = utf8.DecodeRuneInString(unquoted)
	return value, n
}

// aligned is for a text that YAML folds: only blanks and line breaks differ, so the other
// characters are counted.
func (w *written) aligned(line, column int) (position, bool) {
	lines := strings.SplitAfter(w.value, "\n")
	if line > len(lines) {
		return position{}, false
	}
	text := []rune(lines[line-1])
	before := countSolid(strings.Join(lines[:line-1], "") + string(text[:min(column-1, len(text))]))
	isEnd := before == countSolid(w.value)
	first, i, quote := 0, w.at.column-1, rune(0)
	switch {
	case w.style&yaml.FoldedStyle != 0 || w.style&yaml.LiteralStyle != 0:
		first, i = 1, 0
	case w.style != 0 && i < len(w.lines[0]):
		quote = rune(w.lines[0][i])
		i++
	}
	for ; first < len(w.lines); first, i = first+1, 0 {
		line := []rune(strings.TrimSuffix(w.lines[first], "\r"))
		for i < len(line) && !isContinued(line[i:], quote) {
			value, n := character(line[i:], quote)
			if n == 0 {
				return position{w.at.line + first, i + 1}, isEnd
			}
			if !unicode.IsSpace(value) {
				if before == 0 {
					return position{w.at.line + first, i + 1}, true
				}
				if before--; before == 0 && isEnd {
					return position{w.at.line + first, i + n + 1}, true
				}
			}
			i += n
		}
	}
	return position{}, false
}

// countSolid counts the characters that are not blanks.
func countSolid(text string) (n int) {
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

// isCut reports whether a comment follows the text on its line. The comment may be a part
// of the intended text.
func (w *written) isCut() bool {
	line := []rune(w.lines[0])
	if w.style != 0 || w.at.column > len(line) {
		return false
	}
	rest, ok := strings.CutPrefix(string(line[w.at.column-1:]), w.value)
	return ok && strings.HasPrefix(strings.TrimLeft(rest, " \t"), "#")
}

// FaultWithin is Fault for a part of a text. The line and column are those within the text,
// in characters from 1. With a line of 0 they are not known.
func (r *Report) FaultWithin(path string, line, column int, format string, args ...any) *FieldError {
	f := r.Fault(path, format, args...)
	if text, ok := r.texts[path]; ok {
		if text.isCut() && isTruncation.MatchString(f.Message) {
			f.Message += "; # begins a comment, so put the whole value into single quotes"
		}
		if at, ok := text.place(line, column); ok {
			f.Line, f.Column = at.line, at.column
		}
	}
	return f
}
