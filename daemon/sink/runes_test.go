// SPDX-License-Identifier: Apache-2.0

package sink

import "testing"

func TestReplaceRunes(t *testing.T) {
	isDot := func(r rune) bool { return r == '.' || r == 'é' }
	for value, want := range map[string]string{"": "x", "a.b": "xa_b", "é.": "x__", "\xff\xc3": "x__", "\ufffd": "x\ufffd", "ü": "xü"} {
		if got := string(ReplaceRunes([]byte("x"), []byte(value), "_", isDot)); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
