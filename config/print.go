// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Print writes the configuration as a file that means the same, with every key and
// the value that is in effect. It gives no secret away: one that stands in a file of
// the configuration itself is printed as <secret>, which Parse refuses; where others
// are is printed as it is.
func (c *Config) Print(w io.Writer) error {
	_, err := w.Write(c.text())
	return err
}

// Hash names what Print writes, by 16 hexadecimal digits: it is the same for files
// that mean the same, and another when a value is. Nothing can be learnt from it
// about a secret, so it does not change with one either.
func (c *Config) Hash() string {
	sum := sha256.Sum256(c.text())
	return hex.EncodeToString(sum[:8])
}

func (c *Config) text() []byte {
	var p printer
	p.keys(reflect.ValueOf(c).Elem(), "")
	return p.Bytes()
}

// A printer writes YAML that any reader of it takes for the same: all that might be
// something else than text is in quotes.
type printer struct{ bytes.Buffer }

// keys writes those of a struct, each on a line of its own.
func (p *printer) keys(v reflect.Value, indent string) {
	for i, key := range keysOf(v.Type()) {
		f := v.Field(i)
		if f.Kind() == reflect.Pointer && f.IsNil() || omits(v, key) {
			continue
		}
		p.WriteString(indent + key + ":")
		if s, ok := f.Interface().(Secret); ok && s.isWord(v.Type().Field(i).Tag.Get("word")) {
			p.WriteString(" " + *s.inline + "\n")
			continue
		}
		p.value(f, indent+"  ")
	}
}

// value writes what stands behind a colon: on the same line, or below it.
func (p *printer) value(v reflect.Value, indent string) {
	switch v = reflect.Indirect(v); {
	case !isBlock(v):
		p.WriteString(" " + flow(v) + "\n")
	case v.Kind() == reflect.Map:
		p.WriteString("\n")
		labels := v.Interface().(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			p.WriteString(indent + plain(name) + ": " + plain(labels[name]) + "\n")
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

// isBlock says whether a value has lines of its own.
func isBlock(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map:
		return v.Len() > 0
	case reflect.Slice:
		return v.Len() > 0 && isBlock(v.Index(0))
	case reflect.Struct:
		return v.NumField() > 0 && !isValue(v.Type())
	}
	return false
}

// flow is a value on one line.
func flow(v reflect.Value) string {
	if s, ok := v.Interface().(Secret); ok {
		return s.flow()
	}
	if f, ok := v.Interface().(TLSFile); ok {
		return f.flow()
	}
	switch v.Kind() {
	case reflect.String:
		return plain(v.String())
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = flow(v.Index(i))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case reflect.Struct, reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v)
}

func (f TLSFile) flow() string {
	if f.Credential != "" {
		return "{credential: " + plain(f.Credential) + "}"
	}
	return plain(f.File)
}

func (s Secret) flow() string {
	for _, at := range s.places() {
		if at.value != "" {
			return "{" + at.key + ": " + plain(at.value) + "}"
		}
	}
	if s.inline != nil {
		return mask
	}
	return `""`
}

var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./:@+-]*$`)

// plain is a text as YAML: without quotes if nobody can mistake it, and without escapes
// if all of it can be seen. YAML knows all escapes that strconv.Quote writes.
func plain(text string) string {
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
