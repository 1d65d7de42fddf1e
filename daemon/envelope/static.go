// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/json"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// isStatic reports whether a template writes valid JSON whatever the event: its parts
// are texts and values of known shapes, and it is valid with each shape of each. Then
// the result need not be checked for each event.
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

// compactTexts takes the white space between values out of the texts of a static
// template, and escapes what a terminal would obey.
func compactTexts(parts []part) {
	within := false // a string
	for i := range parts {
		if parts[i].text != nil {
			var text []byte
			text, within = compactText(parts[i].text, within)
			parts[i].text = event.AppendVisibleJSON([]byte{}, text)
		}
	}
}

// compactText returns whether the end of the text is within a string.
func compactText(text []byte, within bool) (compact []byte, _ bool) {
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case within && c == '\\':
			escaped = true
		case c == '"':
			within = !within
		case !within && strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		}
		compact = append(compact, c)
	}
	return compact, within
}
