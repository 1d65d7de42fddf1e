// SPDX-License-Identifier: Apache-2.0

package envelope

// appendName appends a label's name with what formats give a meaning to replaced,
// and at most limit bytes of it. The configuration has such names only that stay
// as they are.
func appendName(dst []byte, name string, limit int) []byte {
	for i := range min(len(name), limit) {
		c := name[i]
		if !isWord(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
