// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/json"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// isStatic reports whether a template writes valid JSON for any event: its parts are
// texts and values of known shapes, and the result is valid with each shape. The result
// for an event then need not be checked.
func isStatic(parts []part) bool {
	if len(parts) == 0 {
		return false
	}
	for variant := range 2 {
		var document strings.Builder
		for i := range parts {
			switch p := &parts[i]; {
			case p.text != nil:
				document.Write(p.text)
			case p.step == nil || p.shapes == nil:
				return false
			default:
				document.WriteString(p.shapes[min(variant, len(p.shapes)-1)])
			}
		}
		if !json.Valid([]byte(document.String())) {
			return false
		}
	}
	return true
}

// compactTexts removes the white space between values from the texts of a static
// template, and escapes characters that control a terminal.
func compactTexts(parts []part) {
	inString := false
	for i := range parts {
		if parts[i].text != nil {
			var text []byte
			text, inString = compactText(parts[i].text, inString)
			parts[i].text = event.AppendVisibleJSON([]byte{}, text)
		}
	}
}

// compactText also returns whether the end of the text is in a string.
func compactText(text []byte, inString bool) (compact []byte, _ bool) {
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		}
		compact = append(compact, c)
	}
	return compact, inString
}
