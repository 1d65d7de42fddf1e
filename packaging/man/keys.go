// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/genltestd/genltestd/config/schema"
)

// keysIn are the keys of a section of the file, those of every sink for "sinks", or
// those of a kind of sink.
func keysIn(section string, keys []schema.Key) []schema.Key {
	var list []schema.Key
	for _, k := range keys {
		first, _, _ := strings.Cut(k.Path, ".")
		switch strings.TrimSuffix(first, "[]") {
		case "sinks":
			if k.Variant == section || k.Variant == "" && section == "sinks" {
				list = append(list, k)
			}
		case section:
			list = append(list, k)
		}
	}
	return list
}

// otherKinds returns the sections of the kinds of sinks that have no section in the text of the
// frame.
func otherKinds(keys []schema.Key, frame string) string {
	var out strings.Builder
	seen := make(map[string]bool)
	for _, k := range keys {
		if k.Variant != "" && !seen[k.Variant] && !strings.Contains(frame, "\n@keys "+k.Variant+"\n") {
			out.WriteString(".Ss " + k.Variant + "\n" + keyList(keysIn(k.Variant, keys)))
		}
		seen[k.Variant] = true
	}
	return out.String()
}

// keyList is a list in mdoc. Keys that share a comment share an entry.
func keyList(keys []schema.Key) string {
	var out strings.Builder
	out.WriteString(".Bl -tag -width Ds\n")
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n].Comment == keys[0].Comment {
			n++
		}
		writeEntry(&out, keys[:n])
		keys = keys[n:]
	}
	out.WriteString(".El\n")
	return out.String()
}

func writeEntry(out *strings.Builder, keys []schema.Key) {
	for _, k := range keys {
		out.WriteString(".It Cm " + literal(k.Path) + "\n")
	}
	out.WriteString(fill(keys[0].Comment))
	for _, k := range keys {
		out.WriteString(".Pp\n")
		if len(keys) > 1 {
			out.WriteString(".Cm " + literal(lastOf(k.Path)) + " :\n")
		}
		out.WriteString(fill(facts(k)))
		if line := lastOf(k.Path) + ": " + k.Example; k.Example != "" && (!hasKeys(k) || len(line) <= maxExample) {
			out.WriteString(".Bd -literal -offset indent -compact\n" + literal(line) + "\n.Ed\n")
		}
	}
}

// maxExample is how long a line may be that fits a terminal of 80 columns. Keys with
// keys within them need no example that is longer: those have theirs.
const maxExample = 60

func hasKeys(k schema.Key) bool {
	return k.Type == "mapping" || k.Type == "list of mappings"
}

// lastOf is the key as the file has it.
func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// facts says what can be said of a key in few words.
func facts(k schema.Key) string {
	parts := []string{typeOf(k)}
	switch {
	case k.Required:
		parts = append(parts, "required")
	case k.Default != "":
		parts = append(parts, "default "+k.Default)
	}
	if k.Restart {
		parts = append(parts, "applied by a restart only")
	} else {
		parts = append(parts, "applied by a reload")
	}
	text := strings.Join(parts, "; ") + "."
	return strings.ToUpper(text[:1]) + text[1:]
}

func typeOf(k schema.Key) string {
	text := k.Type
	switch {
	case k.Words != nil:
		text = "one of " + strings.Join(k.Words, ", ")
	case k.Unit != "":
		text += " (" + k.Unit + ")"
	}
	return text + rangeOf(k.Min, k.Max)
}

func rangeOf(least, most string) string {
	switch {
	case most != "":
		return " from " + least + " to " + most
	case least != "" && least != "0":
		return " of " + least + " or more"
	}
	return ""
}
