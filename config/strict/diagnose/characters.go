// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// Word processors, chat programs and web pages replace characters by others that look
// alike. Text that is copied from them has these.

// IsSpecialSpace reports whether c is a space that YAML does not treat as one.
func IsSpecialSpace(c rune) bool { return c > unicode.MaxASCII && unicode.Is(unicode.Zs, c) }

// IsInvisible reports whether c is shown as nothing.
func IsInvisible(c rune) bool { return unicode.Is(unicode.Cf, c) }

var characterNames = map[rune]string{
	'\u00a0': "no-break space",
	'\u00ad': "soft hyphen",
	'\u200b': "zero width space",
	'\u200c': "zero width non-joiner",
	'\u200d': "zero width joiner",
	'\u200e': "left-to-right mark",
	'\u200f': "right-to-left mark",
	'\u202f': "narrow no-break space",
	'\u2060': "word joiner",
	'\u3000': "ideographic space",
	'\ufeff': "byte order mark",
}

// nameOf returns the code point of a character that cannot be seen, with its name.
func nameOf(c rune) string {
	if name, ok := characterNames[c]; ok {
		return fmt.Sprintf("%U (%s)", c, name)
	}
	return fmt.Sprintf("%U", c)
}

// PlainQuote returns the ASCII quote that a typographic quote represents; 0 for any other
// character.
func PlainQuote(c rune) rune {
	switch c {
	case '“', '”', '„', '‟', '«', '»', '＂':
		return '"'
	case '‘', '’', '‚', '‛', '‹', '›', '＇':
		return '\''
	}
	return 0
}

// specialSpaces finds characters that look like a space or like nothing.
func specialSpaces(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		for at, c := range l.text {
			if !IsSpecialSpace(c) && !IsInvisible(c) {
				continue
			}
			all = append(all, proposal{
				at:           l.start + at,
				message:      Replacement(c),
				alternatives: [][]edit{d.replaceSpaces(i, " "), d.replaceSpaces(i, "")},
			})
			break
		}
	}
	return all
}

// Look describes a special space or an invisible character.
func Look(c rune) string {
	if IsSpecialSpace(c) {
		return nameOf(c) + " looks like a space but is not one"
	}
	return nameOf(c) + " is invisible"
}

// Replacement is Look with a remedy.
func Replacement(c rune) string {
	if IsSpecialSpace(c) {
		return Look(c) + "; replace it with a space, or remove it"
	}
	return Look(c) + "; remove it"
}

func (d *document) replaceSpaces(i int, with string) (edits []edit) {
	l := d.lines[i]
	for at, c := range l.text {
		switch end := l.start + at + utf8.RuneLen(c); {
		case IsSpecialSpace(c):
			edits = append(edits, edit{l.start + at, end, with})
		case IsInvisible(c):
			edits = append(edits, edit{l.start + at, end, ""})
		}
	}
	return edits
}

var (
	wideColon = regexp.MustCompile(`^[ \t]*(?:- +)*[A-Za-z_][A-Za-z0-9_-]*(：)[ \t]*`)
	wideDash  = regexp.MustCompile(`^ *([–—‐‑−•])[ \t]`)
)

// wideMarks finds other characters in place of the colon behind a key and of the dash
// before an entry.
func wideMarks(d *document) (all []proposal) {
	for _, i := range d.suspects {
		l := d.lines[i]
		if m := wideColon.FindStringSubmatchIndex(l.text); m != nil {
			all = append(all, proposal{
				at: l.start + m[2], message: `"：" is not a colon; write ": "`,
				alternatives: [][]edit{{{l.start + m[2], l.start + m[1], ": "}}},
			})
		}
		if m := wideDash.FindStringSubmatchIndex(l.text); m != nil {
			all = append(all, proposal{
				at: l.start + m[2], message: fmt.Sprintf(`%q does not begin an entry of a list; write "- "`, l.text[m[2]:m[3]]),
				alternatives: [][]edit{{{l.start + m[2], l.start + m[3], "-"}}},
			})
		}
	}
	return all
}
