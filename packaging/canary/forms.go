// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
)

// forms are encodings of a text of letters and digits. Escapes of other characters, as in
// JSON, URLs, HTML and %q of Go, leave it plain. The window is the length of a part that
// counts as a leak. It is long enough to exclude accidental matches.
var forms = []struct {
	name   string
	window int
	encode func(text string) []string
}{
	{"plain", 8, func(text string) []string { return []string{text} }},
	{"base64", 12, inBase64},
	{"hexadecimal", 12, each("%02x", "")},
	{"hexadecimal bytes", 12, each("%02x", " ")},
	{"percent", 12, each("%%%02x", "")},
	{`\x`, 12, each(`\x%02x`, "")},
	{"decimal", 18, each("%d", " ")},
	{"decimal list", 18, each("%d", ",")},
	{"UTF-16", 12, inUTF16},
	{"UTF-16, escaped", 15, each("%c", `\x00`)},
}

// inBase64 returns the base64 encodings of the text at each of the three possible offsets,
// without the characters that also encode neighbouring bytes. Letters and digits encode to
// the same characters in both alphabets of base64.
func inBase64(text string) []string {
	var all []string
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + text))
		if (before+len(text))%3 != 0 {
			encoded = encoded[:len(encoded)-1]
		}
		all = append(all, encoded[(before*8+5)/6:])
	}
	return all
}

// each encodes byte by byte.
func each(format, between string) func(string) []string {
	return func(text string) []string {
		list := make([]string, len(text))
		for i := range len(text) {
			list[i] = fmt.Sprintf(format, text[i])
		}
		return []string{strings.Join(list, between)}
	}
}

func inUTF16(text string) []string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	return []string{b.String()}
}
