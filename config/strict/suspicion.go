// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/strict/diagnose"
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
		d.warn(positionOf(n), path, `begins with %q, which the request has already; write the token alone`, prefix)
	case ok && s.Suspicion(n.Value) != "":
		d.warn(positionOf(n), path, "%s", s.Suspicion(n.Value))
	case d.tag.Get("path") == "true" && HasVariable(n.Value):
		d.warn(positionOf(n), path, "is used as it is, variables and templates are not expanded; write the path itself")
	}
}

// HasVariable reports whether a text looks like one with shell variables or templates.
func HasVariable(text string) bool { return variable.MatchString(text) }

var variable = regexp.MustCompile(`\$\{[A-Za-z_]|\$\(|\$[A-Z][A-Z0-9_]{2,}|^\$[A-Za-z_]\w*$|\{\{.*\}\}`)

// suspectComment warns of a comment without a space after its #, as in "ticket #5". A person
// who intends a comment writes the space.
func (d *decoder) suspectComment(n *yaml.Node, path string) {
	if n.Style != 0 || n.Value == "" {
		return
	}
	_, rest := d.lineAround(positionOf(n))
	comment, ok := strings.CutPrefix(rest, n.Value)
	if !ok {
		return
	}
	text := strings.TrimLeft(comment, " \t")
	if len(text) < 2 || text[0] != '#' || strings.ContainsRune("# \t\r", rune(text[1])) {
		return
	}
	at := positionOf(n)
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

// strayInKey reports a character of a key that is invisible, or looks like a space or a quote.
func (d *decoder) strayInKey(n *yaml.Node, path string) bool {
	i, c := stray(n, true)
	if i < 0 {
		return false
	}
	at := positionOf(n)
	at.column += i
	d.hasUnknownKey[path] = true
	d.misread = d.misread || i == 0 && diagnose.IsSpecialSpace(c) // indentation of another length
	if quote := diagnose.PlainQuote(c); quote != 0 {
		d.add(at, path, "%c is not a quote; write %c at both ends of the key, or no quotes", c, quote)
	} else {
		d.add(at, path, "%s", diagnose.Replacement(c))
	}
	return true
}

// strayInValue is strayInKey for a value of type t. It ignores a value of several lines or
// with escapes: in these, such a character is not a mistake.
func (d *decoder) strayInValue(n *yaml.Node, t reflect.Type, path string) bool {
	isText := isFreeText(t, d.tag)
	i, c := stray(n, !isText)
	if i < 0 {
		return false
	}
	_, rest := d.lineAround(positionOf(n))
	at := positionOf(n)
	if n.Style != 0 && rest != "" {
		rest = rest[1:]
		at.column++
	}
	if !strings.HasPrefix(rest, n.Value) {
		return false
	}
	at.column += i
	d.fail(at, path, "%s", strayAdvice(c, isText))
	return true
}

func strayAdvice(c rune, isText bool) string {
	quote := diagnose.PlainQuote(c)
	switch {
	case quote != 0 && isText:
		return fmt.Sprintf("%c is not a quote; write %c at both ends, or put the whole value into single quotes if %[1]c is part of the text",
			c, quote)
	case quote != 0:
		return fmt.Sprintf("%c is not a quote; write the value without quotes", c)
	case isText:
		return fmt.Sprintf("%s; remove it, or write it as %s in double quotes if it is part of the text", diagnose.Look(c), escape(c))
	}
	return diagnose.Replacement(c)
}

func escape(c rune) string {
	if c > 0xffff {
		return fmt.Sprintf(`\U%08x`, c)
	}
	return fmt.Sprintf(`\u%04x`, c)
}

// stray returns the first character of a key or value that can only be a mistake, with its
// index in characters; -1 without one. A free text may contain special spaces, but must not
// begin or end with one unless it is escaped. An invisible character after a character
// outside of ASCII may be a part of it, as in emoji.
func stray(n *yaml.Node, isWord bool) (int, rune) {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return -1, 0
	}
	text := []rune(n.Value)
	for i, c := range text {
		isEdge := i == 0 || i == len(text)-1
		switch {
		case diagnose.IsSpecialSpace(c) && (isWord || isEdge):
			return i, c
		case diagnose.IsInvisible(c) && (i == 0 || text[i-1] <= unicode.MaxASCII):
			return i, c
		case i == 0 && n.Style == 0 && diagnose.PlainQuote(c) != 0:
			return i, c
		}
	}
	return -1, 0
}
