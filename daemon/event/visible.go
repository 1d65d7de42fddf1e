// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendVisible appends text as one line that no terminal obeys: each control or
// format character, line breaks among them, stands as an escape of Go's (\n, \x1b,
// \u202e), and so does each byte that is not UTF-8. All else, backslashes too, stays
// as it is, so this is for readers, not for parsers.
func AppendVisible(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case unsafeToShow(r):
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		default:
			dst = append(dst, text[:size]...)
		}
		text = text[size:]
	}
	return dst
}

// IsVisible reports whether AppendVisible would change nothing.
func IsVisible(text []byte) bool {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 || unsafeToShow(r) {
			return false
		}
		text = text[size:]
	}
	return true
}
