// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A value is the value of a key or of a list entry, on one line.
type value struct {
	line int
	at   int // offset in the text
	key  string
	text string
}

// suspectValues returns the values in which the cause may be.
func (d *document) suspectValues() (all []value) {
	for _, i := range d.suspects {
		l := d.lines[i]
		if e := l.entry(); e.value < e.end {
			all = append(all, value{i, l.start + e.value, e.key, l.text[e.value:e.end]})
		}
	}
	return all
}

// values finds an unquoted value that YAML does not read as one text.
func values(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		if at, why := v.fault(); why != "" {
			all = append(all, d.quote(v, at, why))
		}
	}
	return all
}

// scalars is values for keys that never have a list or keys as their value: for these,
// a bracket is always text.
func scalars(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		if at, why := v.fault(); why != "" && d.language.Kind(v.key) == Scalar && strings.ContainsRune("[{", rune(v.text[0])) {
			all = append(all, d.quote(v, at, why))
		}
	}
	return all
}

// fault returns where in the value the fault is, and the reason.
func (v value) fault() (at int, why string) {
	if end := closingQuote(v.text, 0); end > 0 {
		rest := v.text[end+1:]
		at := end + 1 + len(rest) - len(strings.TrimLeft(rest, " \t"))
		if at < len(v.text) {
			if v.mark(at) != "" {
				return 0, "" // a fault of its own
			}
			return at, "text follows the closing quote of this value"
		}
		return 0, ""
	}
	first, n := utf8.DecodeRuneInString(v.text)
	if strings.ContainsRune("{[*&%`@!|>?-,]}#:", first) {
		begin := v.text[:n]
		if strings.HasPrefix(v.text, "{{") {
			begin = "{{"
		}
		return 0, fmt.Sprintf("an unquoted value cannot begin with %q", begin)
	}
	if at := strings.Index(v.text+" ", ": "); at >= 0 {
		return at, "an unquoted value cannot contain a colon before a space"
	}
	return 0, ""
}

// mark returns the comma or semicolon that is all of the value from an offset on.
func (v value) mark(at int) string {
	if rest := strings.TrimRight(v.text[at:], " \t"); rest == "," || rest == ";" {
		return rest
	}
	return ""
}

// trailingMarks finds a comma or semicolon after the quote that ends a value.
func trailingMarks(d *document) (all []proposal) {
	for _, v := range d.suspectValues() {
		end := closingQuote(v.text, 0)
		if end < 0 || end+1 >= len(v.text) {
			continue
		}
		if mark := v.mark(end + 1); mark != "" {
			at := v.at + strings.LastIndex(v.text, mark)
			all = append(all, proposal{
				at: at, message: fmt.Sprintf("%q does not end a line; remove it", mark), alternatives: [][]edit{{{at, at + 1, ""}}},
			})
		}
	}
	return all
}

// quote proposes to put quotes around the whole value.
func (d *document) quote(v value, at int, why string) proposal {
	quoted, remedy := SingleQuoted(v.text), d.language.Reject(v.key, v.text)
	if remedy == "" {
		remedy = d.howToQuote(v, quoted, "put the whole value into single quotes")
	}
	return proposal{
		at:           v.at + at,
		message:      why + "; " + remedy,
		alternatives: [][]edit{{{v.at, v.at + len(v.text), quoted}}},
	}
}

// howToQuote repeats only a value that is not secret.
func (d *document) howToQuote(v value, quoted, otherwise string) string {
	if d.language.IsPublic(v.key) && len(quoted) <= maxShown && isPrintable(quoted) {
		return fmt.Sprintf("write %s: %s", v.key, quoted)
	}
	if v.key == "" && closingQuote(v.text, 0) > 0 {
		otherwise = "write each text as an entry of its own, or " + otherwise
	}
	if strings.Contains(v.text, "'") {
		return otherwise + ", and write each ' within it twice"
	}
	return otherwise
}

// SingleQuoted returns a text as YAML in single quotes.
func SingleQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// closingQuote returns the offset of the quote that closes the one at offset from; -1
// without one.
func closingQuote(text string, from int) int {
	if from >= len(text) || text[from] != '"' && text[from] != '\'' {
		return -1
	}
	quote := text[from]
	for i := from + 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && strings.HasPrefix(text[i+1:], "'"):
			i++
		default:
			return i
		}
	}
	return -1
}
