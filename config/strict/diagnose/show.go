// SPDX-License-Identifier: Apache-2.0

package diagnose

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown bounds what a message repeats of the text.
const maxShown = 200

func isPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// shorten bounds a key that a message repeats.
func shorten(key string) string {
	if len(key) > 40 {
		return key[:40] + "…"
	}
	return key
}
