// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A written is a text as it stands in a file: with its quotes, escapes and indentation.
type written struct {
	at    spot
	style yaml.Style
	value string
	lines []string // of the file, from the one where the text begins
}

// remember keeps what place needs of a text of the file.
func (r *report) remember(path string, n *yaml.Node) {
	first := n.Line - 1
	if first < 0 || first >= len(r.lines) {
		return
	}
	last := min(first+2+strings.Count(n.Value, "\n"), len(r.lines))
	r.texts[path] = written{spotOf(n), n.Style, n.Value, r.lines[first:last]}
}

// place returns where a line and column of the text stand in the file. It returns false
// where they cannot be told: in a text that YAML folds.
func (w *written) place(line, column int) (spot, bool) {
	switch {
	case line < 1 || w.style&yaml.FoldedStyle != 0:
		return spot{}, false
	case w.style&yaml.LiteralStyle != 0:
		return w.inBlock(line, column)
	}
	return w.inLine(line, column)
}

// inBlock is for the style "|", which takes lines as they are, behind their indentation.
func (w *written) inBlock(line, column int) (spot, bool) {
	values := strings.Split(w.value, "\n")
	if line > len(values) || line >= len(w.lines) {
		return spot{}, false
	}
	text := strings.TrimSuffix(w.lines[line], "\r")
	indentation, ok := strings.CutSuffix(text, values[line-1])
	if !ok || strings.Trim(indentation, " ") != "" {
		return spot{}, false
	}
	return spot{w.at.line + line, utf8.RuneCountInString(indentation) + max(column, 1)}, true
}

// inLine is for a text on one line of the file. The line of the text counts the line
// breaks that it has by escapes.
func (w *written) inLine(line, column int) (spot, bool) {
	text := []rune(w.lines[0])
	i, quote := w.at.column-1, rune(0)
	if i < len(text) && w.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		quote = text[i]
		i++
	}
	for at := (spot{1, 1}); i < len(text); {
		if at.line == line && at.column >= column {
			return spot{w.at.line, i + 1}, !isContinued(text[i:], quote)
		}
		value, n := character(text[i:], quote)
		switch {
		case n == 0:
			return spot{}, false
		case value == '\n':
			at = spot{at.line + 1, 1}
		default:
			at.column++
		}
		i += n
	}
	return spot{}, false
}

// isContinued reports whether the text goes on in the next line.
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
	if err != nil { // an escape that Go does not have is one character
		return 0, n
	}
	value, _ = utf8.DecodeRuneInString(unquoted)
	return value, n
}

// FaultWithin is Fault for a part of a text: the line and column are those within it,
// in characters from 1. With a line of 0 they are not known.
func (c *Config) FaultWithin(path string, line, column int, format string, args ...any) *FieldError {
	f := c.Fault(path, format, args...)
	if c.source == nil {
		return f
	}
	r, local := c.source.locate(path)
	if text, ok := r.texts[local]; ok {
		if at, ok := text.place(line, column); ok {
			f.Line, f.Column = at.line, at.column
		}
	}
	return f
}
