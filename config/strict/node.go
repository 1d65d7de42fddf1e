// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// A position is a place in the text; the zero position is not a place.
type position struct{ line, column int }

func positionOf(n *yaml.Node) position { return position{n.Line, n.Column} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isLongForm reports whether n is a mapping in place of a text that is also a struct.
func isLongForm(n *yaml.Node, v reflect.Value) bool {
	return n.Kind == yaml.MappingNode && v.Kind() == reflect.Struct
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// isAmbiguous reports whether some YAML reader does not read a plain scalar as text. For
// yaml.v3, no and off are texts; for YAML 1.1 they are false.
func isAmbiguous(n *yaml.Node) bool {
	return n.ShortTag() != "!!str" || n.Style == 0 && IsOldBool(n.Value)
}

// IsOldBool reports whether YAML 1.1 reads a word as a boolean: yes, off and the like.
func IsOldBool(s string) bool {
	switch strings.ToLower(s) {
	case "y", "yes", "on", "n", "no", "off":
		return true
	}
	return false
}

// shape describes a node without its text: the text may be a secret that belongs to a key
// below.
func shape(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return "a single value"
	}
	return describe(n)
}

// describe describes a node, as the complement of "is".
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	case n.Style == 0 && IsOldBool(n.Value), n.ShortTag() == "!!bool":
		return "the boolean " + shown(n)
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float":
		return "the number " + shown(n)
	case n.ShortTag() == "!!timestamp":
		return "the date " + shown(n)
	}
	return "the text " + Quote(n.Value)
}

// shown returns the text of a number, date or boolean, which contains no control characters.
func shown(n *yaml.Node) string { return Shorten(n.Value) }
