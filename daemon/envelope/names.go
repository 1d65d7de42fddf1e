// SPDX-License-Identifier: Apache-2.0

package envelope

// appendName appends at most limit bytes of a label's name, and replaces bytes that
// have a meaning in a format. Names from the configuration contain no such bytes.
func appendName(dst []byte, name string, limit int) []byte {
	for i := range min(len(name), limit) {
		c := name[i]
		if !isWordByte(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
