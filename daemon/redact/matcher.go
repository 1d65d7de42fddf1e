// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strings"
	"unicode/utf8"
)

const masked = "<secret>"

// window is how many bytes in a row must be those of a secret, in one of its forms and
// in capitals or not, to be masked. So a secret is found that was cut off, or in which
// something is escaped in a way that nobody foresaw. Shorter secrets are masked where
// they stand as a whole.
const window = 6

// A matcher finds a fixed set of secrets. It is safe for concurrent use.
type matcher struct {
	windows map[uint64]struct{}
	whole   []string // shorter than a window
}

// mask puts a word in place of what is secret.
func (m *matcher) mask(text string) string {
	lower := lowerASCII(text)
	hidden := make([]bool, len(text))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for i := range len(lower) {
		if i+window <= len(lower) {
			if _, ok := m.windows[windowAt(lower, i)]; ok {
				hide(i, i+window)
			}
		}
		for _, form := range m.whole {
			if strings.HasPrefix(lower[i:], form) {
				hide(i, i+len(form))
			}
		}
	}
	return replaceHidden(text, hidden)
}

func newMatcher(secrets []string) *matcher {
	m := &matcher{windows: make(map[uint64]struct{})}
	for _, s := range secrets {
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

// windowAt packs a window.
func windowAt(s string, i int) (w uint64) {
	for _, c := range []byte(s[i : i+window]) {
		w = w<<8 | uint64(c)
	}
	return w
}

// replaceHidden masks each row of bytes that is hidden, and with it what it would leave
// of a character.
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
			b.WriteString(masked)
		}
	}
	return b.String()
}

// lowerASCII keeps the length, also of what is no UTF-8.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}
