// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                                `""`,
		"a\x1b\n\u202e":                   `"a\x1b\n\u202e"`,
		"\xff":                            `"\xff"`,
		strings.Repeat("é", maxQuoted):    `"` + strings.Repeat("é", maxQuoted) + `"`,
		strings.Repeat("é", maxQuoted+1):  `"` + strings.Repeat("é", maxQuoted-1) + `…"`,
		strings.Repeat("😀", 10*maxQuoted): `"` + strings.Repeat("😀", maxQuoted-1) + `…"`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"name", "batch_events", "retry_min", "retry_max", "file"}
	for name, want := range map[string]string{
		"fiel":        `did you mean "file"?`,
		"Batch-Event": `did you mean "batch_events"?`,
		"retry_mix":   `did you mean "retry_min"?`,
		"url":         "the keys here are name, batch_events, retry_min, retry_max, file",
		"x":           "the keys here are name, batch_events, retry_min, retry_max, file",
	} {
		if got := suggest(name, keys); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
