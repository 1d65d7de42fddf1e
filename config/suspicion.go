// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// suspect warns of a value of type t that is valid, but most likely not what was meant. A
// warning does not repeat the value, which may be a secret.
func (d *decoder) suspect(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.ScalarNode || !isFreeText(t, path) {
		return
	}
	d.suspectComment(n, path)
	isSecret, key := t == reflect.TypeFor[Secret](), lastKey(path)
	switch {
	case !isSecret && !slices.Contains(pathKeys, key):
	case isSecret && placeAsText.MatchString(n.Value):
		d.warn(spotOf(n), path, "is used as the secret itself, although it looks like a place; write the place in braces: {credential: NAME}, {file: PATH} or {env: NAME}")
	case isSecret && key == "bearer" && strings.HasPrefix(strings.ToLower(n.Value), "bearer "):
		d.warn(spotOf(n), path, `begins with "Bearer", which the request has already; write the token alone`)
	case !variable.MatchString(n.Value):
	case isSecret:
		d.warn(spotOf(n), path, "is used as it is, variables and templates are not expanded; write {env: NAME}, {file: PATH} or {credential: NAME} in place of the whole value")
	default:
		d.warn(spotOf(n), path, "is used as it is, variables and templates are not expanded; write the path itself")
	}
}

// pathKeys are those whose values people write with variables, apart from secrets.
var pathKeys = []string{"path", "address", "ca", "cert", "key"}

var (
	placeAsText = regexp.MustCompile(`^(credential|file|env):`)
	variable    = regexp.MustCompile(`\$\{[A-Za-z_]|\$\(|\$[A-Z][A-Z0-9_]{2,}|^\$[A-Za-z_]\w*$|\{\{.*\}\}`)
)

// suspectComment is for a comment that no space separates from its #: "ticket #5". A person
// who writes a comment writes the space.
func (d *decoder) suspectComment(n *yaml.Node, path string) {
	if n.Style != 0 || n.Value == "" {
		return
	}
	_, rest := d.around(spotOf(n))
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

// isFreeText reports whether any text is a value of type t.
func isFreeText(t reflect.Type, path string) bool {
	return isValue(t) || t.Kind() == reflect.String && wordsOf(t) == nil && lastKey(path) != "name"
}
