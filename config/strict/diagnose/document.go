// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/genltestd/genltestd/internal/sorting"
)

// A document is the rejected text.
type document struct {
	text     []byte
	lines    []line
	language Language
	bad      int   // index of the line at which the parser fails
	suspects []int // indexes of the lines that may hold the cause
	depth    int
	cost     int
}

// A line is one line of the text without its line break.
type line struct {
	start, end int // offsets
	text       string
	indent     int // number of leading spaces
}

func newDocument(text []byte, near int, language Language) *document {
	d := &document{text: text, language: language, depth: depth(text)}
	start := 0
	for _, end := range lineEnds(text) {
		content := strings.TrimRight(string(text[start:end]), "\r\n")
		indent := len(content) - len(strings.TrimLeft(content, " "))
		d.lines = append(d.lines, line{start, start + len(content), content, indent})
		start = end
	}
	if len(d.lines) == 0 {
		d.lines = []line{{}}
	}
	if d.bad = d.firstBad(); d.bad < 0 {
		d.bad = max(0, near-1)
	}
	d.bad = min(d.bad, len(d.lines)-1)
	// The parser notices some mistakes only on the next line.
	if before := d.before(d.bad); before >= 0 {
		d.suspects = append(d.suspects, before)
	}
	d.suspects = append(d.suspects, d.bad)
	return d
}

// lineAt returns the index of the line that contains an offset.
func (d *document) lineAt(offset int) int {
	after := sort.Search(len(d.lines), func(i int) bool { return d.lines[i].start > offset })
	return max(after-1, 0)
}

// firstText is the offset of the first character of a line behind its indentation.
func (d *document) firstText(i int) int { return d.lines[i].start + d.lines[i].indent }

// before returns the index of the last line before line i that has content, or -1.
func (d *document) before(i int) int {
	for i--; i >= 0 && d.lines[i].isBlank(); i-- {
	}
	return i
}

func (l line) isBlank() bool {
	rest := strings.TrimLeft(l.text, " \t")
	return rest == "" || rest[0] == '#'
}

// An entry has the parts of a line like "  - key: value # comment". Numbers are offsets
// in the text of the line.
type entry struct {
	content int    // behind the indentation and the dashes
	key     string // empty without a key
	colon   int    // behind the key; -1 without a key
	value   int
	end     int // of the value, before blanks and a comment
}

var (
	entryMarks = regexp.MustCompile(`^[ \t]*(-[ \t]+)*`)
	entryKey   = regexp.MustCompile(`^([A-Za-z0-9_.<-]+|"[^"]*"|'[^']*')[ \t]*:(?:[ \t]|$)`)
)

// entry parses the line as if it were neither in a bracket nor in a text of several
// lines.
func (l line) entry() entry {
	e := entry{content: len(entryMarks.FindString(l.text)), colon: -1}
	e.value = e.content
	if m := entryKey.FindStringSubmatch(l.text[e.content:]); m != nil {
		e.key = strings.Trim(m[1], `"'`)
		e.colon = e.content + strings.Index(m[0][len(m[1]):], ":") + len(m[1])
		e.value = e.colon + 1
	}
	rest := l.text[e.value:]
	e.value += len(rest) - len(strings.TrimLeft(rest, " \t"))
	e.end = e.value + commentStart(l.text[e.value:])
	e.end = e.value + len(strings.TrimRight(l.text[e.value:e.end], " \t"))
	return e
}

// commentStart returns the offset of the comment of a value, or the value's length. A
// number sign within quotes begins no comment.
func commentStart(value string) int {
	if at := commentOutside(value); at >= 0 {
		return at
	}
	if at := strings.Index(value, " #"); at >= 0 && strings.Count(value, `"`)%2+strings.Count(value, "'")%2 > 0 {
		return at + 1 // an apostrophe, which encloses nothing
	}
	return len(value)
}

func commentOutside(value string) int {
	quote := byte(0)
	for i := range len(value) {
		switch c := value[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && i > 0 && (value[i-1] == ' ' || value[i-1] == '\t'):
			return i
		}
	}
	return -1
}

// An edit replaces the text between two offsets.
type edit struct {
	from, to int
	with     string
}

func insert(at int, text string) edit { return edit{at, at, text} }

func apply(text []byte, edits []edit) []byte {
	edits = slices.Clone(edits)
	sorting.Stable(edits, func(a, b edit) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, e := range edits {
		if e.from < at || e.to > len(text) || e.to < e.from {
			continue
		}
		out = append(out, text[at:e.from]...)
		out = append(out, e.with...)
		at = e.to
	}
	return append(out, text[at:]...)
}
