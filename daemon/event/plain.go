// SPDX-License-Identifier: Apache-2.0

package event

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word returns the eight bytes of text from i on.
func word[T string | []byte](text T, i int) uint64 {
	return uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24 |
		uint64(text[i+4])<<32 | uint64(text[i+5])<<40 | uint64(text[i+6])<<48 | uint64(text[i+7])<<56
}

// isPlain reports whether all bytes of w are from 0x20 to 0x7e. Nearly all text is, and
// testing eight bytes at once is several times faster.
func isPlain(w uint64) bool {
	below := (w - ones*' ') &^ w // sets the high bit of the first byte below 0x20
	return (w|below|zero(w^ones*0x7f))&highs == 0
}

// isPlainJSON reports whether isPlain is true and JSON needs no escape.
func isPlainJSON(w uint64) bool {
	return isPlain(w) && (zero(w^ones*'"')|zero(w^ones*'\\'))&highs == 0
}

// isPlainPair reports whether two bytes are one character from U+00A1 to U+05FF that is
// never escaped. Most letters of European alphabets are in this range.
func isPlainPair(c, d byte) bool {
	return c >= 0xc2 && c <= 0xd7 && d&0xc0 == 0x80 && (c != 0xc2 || d > 0xa0 && d != 0xad)
}

// zero sets the high bit of the first byte of w that is 0.
func zero(w uint64) uint64 { return (w - ones) &^ w }
