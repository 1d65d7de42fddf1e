// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// suspect warns of a value of type t that is valid, but most likely a mistake. A warning
// does not repeat the value, which may be a secret.
func (d *decoder) suspect(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.ScalarNode || !isFreeText(t, d.tag) {
		return
	}
	d.suspectComment(n, path)
	s, ok := implements[Suspicious](t)
	prefix := d.tag.Get("prefix")
	switch {
	case prefix != "" && strings.HasPrefix(strings.ToLower(n.Value), strings.ToLower(prefix)+" "):
		d.warn(spotOf(n), path, `begins with %q, which the request has already; write the token alone`, prefix)
	case ok && s.Suspicion(n.Value) != "":
		d.warn(spotOf(n), path, "%s", s.Suspicion(n.Value))
	case d.tag.Get("path") == "true" && HasVariable(n.Value):
		d.warn(spotOf(n), path, "is used as it is, variables and templates are not expanded; write the path itself")
	}
}

// HasVariable reports whether a text looks like one with shell variables or templates.
func HasVariable(text string) bool { return variable.MatchString(text) }

var variable = regexp.MustCompile(`\$\{[A-Za-z_]|\$\(|\$[A-Z][A-Z0-9_]{2,}|^\$[A-Za-z_]\w*$|\{\{.*\}\}`)

// suspectComment is for a comment that no space separates from its #: "ticket #5". A person
// who writes a comment writes the space.
func (d *decoder) suspectComment(n *yaml.Node, path string) {
	if n.Style != 0 || n.Value == "" {
		return
	}
	_, rest := d.lineAround(spotOf(n))
	comment, ok := strings.CutPrefix(rest, n.Value)
	if !ok {
		return
	}
	text := strings.TrimLeft(comment, " \t")
	if len(text) < 2 || text[0] != '#' || strings.ContainsRune("# \t\r", rune(text[1])) {
		return
	}
	at := spotOf(n)
	at.column += utf8.RuneCountInString(rest[:len(rest)-len(text)])
	remedy := "put the whole value into single quotes"
	if strings.Contains(rest, "'") {
		remedy += " and write each ' within it twice"
	}
	d.warn(at, path, "# begins a comment, so the value ends before it; %s, or write a space after # if it is a comment", remedy)
}

// isFreeText reports whether any text is a value of a field.
func isFreeText(t reflect.Type, tag reflect.StructTag) bool {
	return IsValue(t) || t.Kind() == reflect.String && Words(t, tag) == nil && tag.Get("name") != "true"
}
