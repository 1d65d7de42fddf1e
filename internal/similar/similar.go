// SPDX-License-Identifier: Apache-2.0

// Package similar finds the known name that is most similar to an unknown name.
package similar

import (
	"fmt"
	"strings"
)

// Closest returns the word that is most similar to name, with at most two differences;
// empty without one.
func Closest(name string, words []string) string {
	best, least := "", 3 // with three differences it is another word
	for _, word := range words {
		if n := distance(Fold(name), Fold(word), least); n < least && n < len(word)-1 {
			best, least = word, n
		}
	}
	return best
}

// Fold makes names that differ in case and separators comparable.
func Fold(name string) string {
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '-' || c == ' ' || c == '.':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteRune(c + 'a' - 'A')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// distance returns how many characters must be changed, inserted or removed to make a
// into b; at most enough.
func distance(a, b string, enough int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= enough {
		return enough
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// maxListed is the maximum number of words that List returns.
const maxListed = 12

// List returns the words with commas between them, or the first of many.
func List(words []string) string {
	if len(words) > maxListed {
		return strings.Join(words[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(words)-maxListed)
	}
	return strings.Join(words, ", ")
}
