// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// formsOf returns the encodings of s that a server may use.
func formsOf(s string) []string {
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.ReplaceAll(s, "/", `\/`)}
	quoted := strconv.Quote(s)
	forms = append(forms, quoted[1:len(quoted)-1])
	if text, err := json.Marshal(s); err == nil {
		forms = append(forms, string(text[1:len(text)-1]))
	}
	if len(s) < window {
		return forms // in base64 a short secret would match unrelated text
	}
	return append(append(forms, hex.EncodeToString([]byte(s)), reversed(s)), inBase64(s)...)
}

func reversed(s string) string {
	text := []byte(s)
	slices.Reverse(text)
	return string(text)
}

// inBase64 returns the base64 encodings of s at each of the three possible offsets among
// other bytes, without the characters that also encode neighbouring bytes.
func inBase64(s string) (forms []string) {
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte("xx"[:before] + s))
		if (before+len(s))%3 != 0 {
			text = text[:len(text)-1]
		}
		text = text[(before*8+5)/6:]
		forms = append(forms, text, strings.NewReplacer("+", "-", "/", "_").Replace(text))
	}
	return forms
}
