// SPDX-License-Identifier: Apache-2.0

package ratelog

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Distinct is implemented by errors that differ only in a number, such as a status. Errors
// are of the same kind if both their normalized text and the result of Distinct are equal.
type Distinct interface {
	error
	Distinct() string
}

// maxKind is the maximum length of a compared text, in bytes.
const maxKind = 512

// kindOf returns the normalized form of a line's arguments.
func kindOf(args []any) string {
	var kind strings.Builder
	for _, arg := range args {
		switch v := arg.(type) {
		case slog.Attr:
			normalize(&kind, v.Value.String())
		case error:
			var d Distinct
			if errors.As(v, &d) {
				kind.WriteString(d.Distinct())
				kind.WriteByte(' ')
			}
			normalize(&kind, v.Error())
		case string:
			normalize(&kind, v)
		default:
			normalize(&kind, fmt.Sprint(v))
		}
		if kind.Len() >= maxKind {
			break
		}
		kind.WriteByte('\n')
	}
	return kind.String()
}

// normalize writes text with each word that contains a digit replaced by "#". Words are
// separated by spaces, quotes and brackets, so an address or a URL is one word.
func normalize(kind *strings.Builder, text string) {
	if len(text) > maxKind {
		text = text[:maxKind]
	}
	for len(text) > 0 {
		word := text
		if end := strings.IndexFunc(text, isSeparator); end >= 0 {
			word = text[:end]
		}
		if strings.ContainsFunc(word, unicode.IsDigit) {
			kind.WriteByte('#')
		} else {
			kind.WriteString(word)
		}
		if text = text[len(word):]; text != "" {
			_, size := utf8.DecodeRuneInString(text)
			kind.WriteString(text[:size])
			text = text[size:]
		}
	}
}

func isSeparator(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`()[]{}<>,;", r) }
