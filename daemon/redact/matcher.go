// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/config/value"
)

// window is the number of consecutive bytes of a secret, in one of its forms and in any
// case, that are masked. So a secret is also found when it is truncated, or when an unknown
// escaping changes a part of it. Shorter secrets are masked only as a whole.
const window = 6

// A matcher finds a fixed set of secrets. It is safe for concurrent use.
type matcher struct {
	windows map[uint64]struct{}
	whole   []string            // secrets shorter than a window
	letters map[string]struct{} // parts of spelled letters and digits
}

// mask replaces the secrets in text.
func (m *matcher) mask(text string) string {
	lower := lowerASCII(text)
	hidden := make([]bool, len(text))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for _, d := range derive(text) {
		m.maskDerived(d, hide)
	}
	for i := range len(lower) {
		for _, form := range m.whole {
			if strings.HasPrefix(lower[i:], form) {
				hide(i, i+len(form))
			}
		}
	}
	return replaceHidden(text, hidden)
}

// maskDerived hides the secrets in a decoded form of the text.
func (m *matcher) maskDerived(d *derived, hide func(from, to int)) {
	lower := lowerASCII(string(d.text))
	for i := 0; i+window <= len(lower); i++ {
		if _, ok := m.windows[windowAt(lower, i)]; ok {
			hide(d.from[i], d.to[i+window-1])
		}
	}
	d = d.letters()
	lower = lowerASCII(string(d.text))
	for i := 0; i+spelled <= len(lower); i++ {
		if _, ok := m.letters[lower[i:i+spelled]]; ok {
			hide(d.from[i], d.to[i+spelled-1])
		}
	}
}

func newMatcher(secrets []string) *matcher {
	m := &matcher{windows: make(map[uint64]struct{}), letters: make(map[string]struct{})}
	for _, s := range secrets {
		letters := lowerASCII(string(whole(s).letters().text))
		for i := 0; i+spelled <= len(letters); i++ {
			m.letters[letters[i:i+spelled]] = struct{}{}
		}
		for _, form := range formsOf(s) {
			m.add(lowerASCII(form))
		}
	}
	return m
}

func (m *matcher) add(form string) {
	if len(form) < window {
		m.whole = append(m.whole, form)
	}
	for i := 0; i+window <= len(form); i++ {
		m.windows[windowAt(form, i)] = struct{}{}
	}
}

// windowAt returns the window at i as an integer.
func windowAt(s string, i int) (w uint64) {
	for _, c := range []byte(s[i : i+window]) {
		w = w<<8 | uint64(c)
	}
	return w
}

// replaceHidden replaces each run of hidden bytes, and the rest of a character that is only
// partly hidden.
func replaceHidden(text string, hidden []bool) string {
	for i := 1; i < len(text); i++ {
		hidden[i] = hidden[i] || hidden[i-1] && !utf8.RuneStart(text[i])
	}
	for i := len(text) - 1; i > 0; i-- {
		hidden[i-1] = hidden[i-1] || hidden[i] && !utf8.RuneStart(text[i])
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(value.Mask)
		}
	}
	return b.String()
}

// lowerASCII lowers ASCII letters. It keeps the length, also of invalid UTF-8.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}
