// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Print returns the struct that v points to as YAML, with every key and its value, and
// without secrets.
func Print(v any) []byte {
	var p printer
	p.keys(reflect.ValueOf(v).Elem(), "")
	return p.Bytes()
}

// A printer writes YAML that all readers read alike: any text that is not plainly a text is
// in quotes.
type printer struct{ bytes.Buffer }

// keys writes those of a struct, each on a line of its own.
func (p *printer) keys(v reflect.Value, indent string) {
	for _, e := range Entries(v) {
		if omits(v, e.Key) {
			continue
		}
		p.WriteString(indent + e.Key + ":")
		p.value(e.Value, e.Tag, indent+"  ")
	}
}

// value writes the value after a colon: on the same line, or below it.
func (p *printer) value(v reflect.Value, tag reflect.StructTag, indent string) {
	switch {
	case !isBlock(v):
		p.WriteString(" " + flow(v, tag.Get("word")) + "\n")
	case v.Kind() == reflect.Map:
		p.WriteString("\n")
		texts := v.Interface().(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			p.WriteString(indent + Plain(name) + ": " + Plain(texts[name]) + "\n")
		}
	case v.Kind() == reflect.Slice:
		p.WriteString("\n")
		for i := range v.Len() {
			start := p.Len() + len(indent)
			p.keys(v.Index(i), indent+"  ")
			copy(p.Bytes()[start:], "- ")
		}
	default:
		p.WriteString("\n")
		p.keys(v, indent)
	}
}

// isBlock reports whether a value has lines of its own.
func isBlock(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map:
		return v.Len() > 0
	case reflect.Slice:
		return v.Len() > 0 && isBlock(v.Index(0))
	case reflect.Struct:
		return len(Entries(v)) > 0 && !IsValue(v.Type())
	}
	return false
}

// flow returns a value on one line.
func flow(v reflect.Value, word string) string {
	if value, ok := v.Addr().Interface().(Value); ok {
		return value.YAML(word)
	}
	switch v.Kind() {
	case reflect.String:
		return Plain(v.String())
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = flow(v.Index(i), word)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case reflect.Struct, reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v)
}

var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./:@+-]*$`)

// Plain returns a text as YAML: without quotes if it is plainly a text, and without escapes
// if all of it is visible. YAML knows all escapes that strconv.Quote writes.
func Plain(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	quoted := strconv.Quote(text)
	switch {
	case plainText.MatchString(text) && !strings.HasSuffix(text, ":") && !isAmbiguous(&n):
		return text
	case strings.ContainsAny(text, `"\`) && quoted == `"`+strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(text)+`"`:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return quoted
}
