// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config/schema"
)

// keysIn returns the keys of a section of the file, of every sink for "sinks", or of a kind
// of sink.
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

// kindsIn returns the kinds of sinks that have keys, in the order of the keys.
func kindsIn(keys []schema.Key) (kinds []string) {
	for _, k := range keys {
		if k.Variant != "" && !slices.Contains(kinds, k.Variant) {
			kinds = append(kinds, k.Variant)
		}
	}
	return kinds
}

// keyList returns a list in mdoc. Keys that share a comment share an entry.
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

// maxExample is the length of a line that fits a terminal of 80 columns. A mapping does not
// need a longer example: each of its keys has one.
const maxExample = 60

func hasKeys(k schema.Key) bool {
	return k.Type == "mapping" || k.Type == "list of mappings"
}

// lastOf returns the key without the path of its mapping.
func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// facts returns the type, the default and the range of a key, and how a change is applied.
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
