// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestAppendVisibleEscapesControlCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "",
		"plain, café \\n":   "plain, café \\n",
		"two\nlines\r":      `two\nlines\r`,
		"\x1b[31mred":       `\x1b[31mred`,
		"8-bit\x9b31m":      `8-bit\x9b31m`,
		"c1\u009b31m":       `c1\u009b31m`,
		"a\u202eb":          `a\u202eb`,
		"tag\U000e0041":     `tag\U000e0041`,
		"\u2028":            `\u2028`,
		"nul\x00 tab\t\x7f": `nul\x00 tab\t\x7f`,
	} {
		if got := string(AppendVisible(nil, []byte(text))); got != want {
			t.Errorf("AppendVisible(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzAppendVisible(f *testing.F) {
	f.Add([]byte("a\x1b\xff\u202e\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := AppendVisible(nil, text)
		if !utf8.Valid(got) || !IsVisible(got) {
			t.Errorf("%q is still unsafe: %q", text, got)
		}
		if IsVisible(text) && string(got) != string(text) {
			t.Errorf("visible text %q was changed to %q", text, got)
		}
	})
}

// The ranges in IsUnsafe match the Unicode version of package unicode.
func TestIsUnsafeMatchesTheUnicodeTables(t *testing.T) {
	for r := rune(-1); r <= unicode.MaxRune+1; r++ {
		if want := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r < 0; IsUnsafe(r) != want {
			t.Errorf("IsUnsafe(%#x) = %t, want %t", r, !want, want)
		}
	}
}
