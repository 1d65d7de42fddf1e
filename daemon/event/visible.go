// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// IsUnsafe reports whether r controls how text is shown: C0 and C1 controls, format
// characters such as bidirectional overrides and zero-width characters, and the two
// separators that end a line in JavaScript.
//
// Most text is in ranges without such characters; they need no table.
func IsUnsafe(r rune) bool {
	switch {
	case r < 0xa0:
		return r < ' ' || r >= 0x7f
	case r < 0x600:
		return r == 0xad
	case r >= 0x2070 && r < 0xfeff, r >= 0x1d17b && r < 0xe0001:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// AppendVisible appends text as one line that is safe to print on a terminal. It writes
// each control and format character, including line breaks, and each byte that is not
// UTF-8 as an escape of Go (\n, \x1b, \u202e). It does not change other characters,
// including backslashes, so its output is for readers and not for parsers.
func AppendVisible[T string | []byte](dst []byte, text T) []byte {
	for {
		n := visiblePrefix(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return dst
		}
		r, size := utf8.DecodeRuneInString(string(text[n:min(n+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, '\\', 'x', hex[text[n]>>4], hex[text[n]&0xf])
		} else {
			quote := len(dst)
			dst = strconv.AppendQuoteRuneToASCII(dst, r)
			dst = append(dst[:quote], dst[quote+1:len(dst)-1]...)
		}
		text = text[n+size:]
	}
}

// IsVisible reports whether AppendVisible returns text unchanged.
func IsVisible[T string | []byte](text T) bool { return visiblePrefix(text) == len(text) }

// AppendLine is AppendVisible without the line breaks at the end of text, which most
// programs add and a single line does not need.
func AppendLine(dst, text []byte) []byte { return AppendVisible(dst, WithoutBreak(text)) }

// WithoutBreak returns text without the line breaks at its end.
func WithoutBreak(text []byte) []byte { return bytes.TrimRight(text, "\r\n") }

// visiblePrefix returns the length of text before the first character that
// AppendVisible escapes.
func visiblePrefix[T string | []byte](text T) int {
	for i := 0; i < len(text); {
		if i+8 <= len(text) && isPlain(word(text, i)) {
			i += 8
			continue
		}
		if c := text[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return i
			}
			i++
			continue
		}
		if i+2 <= len(text) && isPlainPair(text[i], text[i+1]) {
			i += 2
			continue
		}
		// Four bytes are enough for any rune, and keep the conversion off the heap.
		r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && size == 1 || IsUnsafe(r) {
			return i
		}
		i += size
	}
	return len(text)
}
