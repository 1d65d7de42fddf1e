// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"slices"
	"strings"
)

// textMap is the type of fields that contain texts by name.
const textMap = "map[string]string"

// names are the fields that an expression can use, and the data for advice about a
// wrong name.
type names struct {
	known        []string
	synonyms     map[string]string // names of other programs in lower case, with the known name
	null         string            // advice about null
	set, element string            // the field of the type textMap, and one of its elements
}

func eventNames() names {
	return names{
		known: []string{
			"message", "kind", "host", "seq", "kernel_seq", "id", "family", "group", "command", "attributes", "time", "kernel_time", "load_id",
			"machine_id", "boot_id", "kernel_release", "labels", "gap", "captures",
		},
		synonyms: map[string]string{
			"msg": "message", "text": "message", "body": "message", "line": "message", "raw": "message", "event": "message",
			"hostname": "host", "type": "kind", "timestamp": "time", "ts": "time", "sequence": "seq",
			"label": "labels", "capture": "captures", "groups": "captures",
			"cmd": "command", "attribute": "attributes", "attrs": "attributes", "attr": "attributes",
		},
		null: `a field that is absent is empty or 0, so write "" or 0`,
		set:  "labels", element: "labels.site",
	}
}

func responseNames() names {
	return names{
		known: []string{"status", "headers", "body", "json"},
		synonyms: map[string]string{
			"code": "status", "status_code": "status", "statuscode": "status", "http_status": "status", "header": "headers",
			"text": "body", "content": "body", "response": "body", "message": "body", "data": "json", "result": "json",
		},
		null: "write nil",
		set:  "headers", element: `headers["content-type"]`,
	}
}

// unknownName suggests the name that was probably intended.
func unknownName(m *mistake, match []string) string {
	name, lower := match[1], strings.ToLower(match[1])
	if advice := m.names.advice(name, lower); advice != "" {
		return fmt.Sprintf("unknown name %s; %s", name, advice)
	}
	if name == "captures" && slices.Contains(m.names.known, name) {
		return "write the name of a capture, such as captures.unit"
	}
	for _, field := range m.names.known {
		if isSimilar(lower, field) {
			return fmt.Sprintf("unknown name %s; write %s", name, field)
		}
	}
	return fmt.Sprintf("unknown name %s; write %q in quotes if it is a text, or one of %s", name, name, strings.Join(m.names.known, ", "))
}

// advice returns "" if the name is unknown, or only similar to a known name.
func (n *names) advice(name, lower string) string {
	switch {
	case lower == "true" || lower == "false":
		return "write " + lower
	case lower == "null" || lower == "none" || lower == "undefined":
		return n.null
	case name != lower && slices.Contains(n.known, lower):
		return "write " + lower
	case n.synonyms[lower] != "":
		return "write " + n.synonyms[lower]
	}
	return ""
}

// isSimilar reports whether a name differs from a word by one typing error.
func isSimilar(name, word string) bool {
	if len(word) < 4 || len(name) < 3 || max(len(name)-len(word), len(word)-len(name)) > 1 {
		return false
	}
	i := 0
	for i < min(len(name), len(word)) && name[i] == word[i] {
		i++
	}
	a, b := name[i:], word[i:]
	if a == "" || b == "" {
		return true
	}
	swapped := len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	return a[1:] == b || a == b[1:] || a[1:] == b[1:] || swapped
}

// operators are the operators that are words between two texts.
var operators = []string{"contains", "startsWith", "endsWith", "matches", "in", "and", "or"}

// operatorAliases returns the words of other languages for each operator.
func operatorAliases() map[string][]string {
	return map[string][]string{
		"and":        {"AND", "&"},
		"or":         {"OR", "|"},
		"not":        {"NOT"},
		"in":         {"IN"},
		"==":         {"is", "eq", "equals", "=", "==="},
		"!=":         {"ne", "xor", "<>"},
		"contains":   {"like", "LIKE", "includes", "has", "Contains", "CONTAINS"},
		"matches":    {"regex", "match", "Matches", "~", "=~"},
		"startsWith": {"startswith", "starts_with", "hasPrefix", "beginsWith", "StartsWith"},
		"endsWith":   {"endswith", "ends_with", "hasSuffix", "EndsWith"},
	}
}

// operatorFor returns the operator for an alias, or "".
func operatorFor(alias string) string {
	for operator, aliases := range operatorAliases() {
		if slices.Contains(aliases, alias) {
			return operator
		}
	}
	return ""
}
