// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"
	"unicode/utf8"
)

// Each byte at each position of a word, between plain and other bytes: testing eight
// bytes at once must not differ from testing each.
func TestWordsAreTestedLikeTheirBytes(t *testing.T) {
	for _, fill := range []byte{' ', 'a', '~', '!', 0x80, 0x1f, '"', 0} {
		for position := range 8 {
			for c := range 256 {
				var text [8]byte
				for i := range text {
					text[i] = fill
				}
				text[position] = byte(c)
				plain, plainJSON := true, true
				for _, c := range text {
					plain = plain && c >= ' ' && c <= '~'
					plainJSON = plainJSON && c >= ' ' && c <= '~' && c != '"' && c != '\\'
				}
				w := word(text[:], 0)
				if isPlain(w) != plain || isPlainJSON(w) != plainJSON {
					t.Errorf("%q: plain %t, plain JSON %t", text, isPlain(w), isPlainJSON(w))
				}
			}
		}
	}
}

func TestPairsAreVisibleCharacters(t *testing.T) {
	for c := range 256 {
		for d := range 256 {
			r, size := utf8.DecodeRune([]byte{byte(c), byte(d)})
			if want := size == 2 && r > 0xa0 && r < 0x600 && !IsUnsafe(r); isPlainPair(byte(c), byte(d)) != want {
				t.Errorf("%#x %#x: want %t", c, d, want)
			}
		}
	}
}
