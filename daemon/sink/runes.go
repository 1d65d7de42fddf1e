// SPDX-License-Identifier: Apache-2.0

package sink

import "unicode/utf8"

// ReplaceRunes appends value to dst, with substitute in place of each bad character and of each
// byte that is not UTF-8. It is for the field Replace of a Template.
func ReplaceRunes(dst, value []byte, substitute string, bad func(rune) bool) []byte {
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		if r == utf8.RuneError && n == 1 || bad(r) {
			dst = append(dst, substitute...)
		} else {
			dst = append(dst, value[:n]...)
		}
		value = value[n:]
	}
	return dst
}
