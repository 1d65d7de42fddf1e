// SPDX-License-Identifier: Apache-2.0

package config

import (
	_ "embed" // for the examples
	"errors"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A Key is one key of the configuration file, as its documentation needs it.
// Values are written as in the file, on one line.
type Key struct {
	Path     string   // like sinks[].webhook.url: the entries of a list count as one
	Kind     string   // of sink that has it; empty when every kind has, and outside of sinks
	Type     string   // see typeWord
	Words    []string // that may be written, when they are a closed list
	Unit     string   // what a number counts, or how a duration, size or file mode is written
	Default  string   // empty when required, and for a mapping, whose keys have defaults
	Min, Max string   // both included; empty for no limit
	Required bool
	Restart  bool   // a change is applied by a restart, not by a reload
	Example  string // never the default
	Comment  string // the text of the reference file
}

//go:embed examples.yaml
var exampleText string

// Examples returns a configuration file that gives every key a value which is not
// its default.
func Examples() []byte { return []byte(exampleText) }

// Describe returns every key of the configuration, each before those within it. It
// parses the reference and the examples anew: it is for generators and tests.
func Describe() []Key {
	comments := make(map[string]string)
	collectComments(mustParse(uncommented()), "", "", comments)
	values := make(map[string]*yaml.Node)
	collectValues(mustParse(exampleText), "", values)
	var keys []Key
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		k := f.key()
		k.Comment = comments[f.path]
		if n := values[f.path]; n != nil {
			k.Example = oneLine(n)
		}
		keys = append(keys, k)
	}
	return keys
}

// fieldInfo is a field of the configuration's structs.
type fieldInfo struct {
	path string
	kind reflect.Type
	tag  reflect.StructTag
}

// fieldsOf returns the fields of t, and those within each of them after it.
func fieldsOf(t reflect.Type, path string) []fieldInfo {
	switch {
	case t.Kind() == reflect.Pointer:
		return fieldsOf(t.Elem(), path)
	case t.Kind() == reflect.Slice:
		return fieldsOf(t.Elem(), path+"[]")
	case !isMapping(t):
		return nil
	}
	var all []fieldInfo
	for i, key := range keysOf(t) {
		f := t.Field(i)
		all = append(all, fieldInfo{join(path, key), f.Type, f.Tag})
		all = append(all, fieldsOf(f.Type, join(path, key))...)
	}
	return all
}

// isMapping leaves out Secret and TLSFile: each is one value, whose forms the file's head
// explains.
func isMapping(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isValue(t) }

// isValue reports whether a struct is one value: a text, or a mapping that says where
// the text is.
func isValue(t reflect.Type) bool {
	return t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[TLSFile]()
}

func (f fieldInfo) key() Key {
	return Key{
		Path:     f.path,
		Kind:     kindOf(f.path),
		Type:     typeWord(f.kind),
		Words:    wordsOf(f.kind),
		Unit:     f.unit(),
		Default:  f.defaultText(),
		Min:      f.tag.Get("min"),
		Max:      f.tag.Get("max"),
		Required: f.tag.Get("required") == "true",
		Restart:  f.tag.Get("reload") == "restart",
	}
}

// kindOf is the kind of sink that a path is about, empty if it is about no one kind.
func kindOf(path string) string {
	rest, _ := strings.CutPrefix(path, "sinks[].")
	key, _, _ := strings.Cut(rest, ".")
	if rest == path || !slices.Contains(sinkKinds(), key) {
		return ""
	}
	return key
}

// typeWord is what a reader calls the values of a type: duration, size, file mode,
// secret, word (one of a closed list), number, text, "true or false", mapping, "mapping
// of texts", or "list of" these in the plural.
func typeWord(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[FileMode]():
		return "file mode"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[TLSFile]():
		return "file"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeWord(t.Elem()) + "s"
	case reflect.Map:
		return "mapping of " + typeWord(t.Elem()) + "s"
	case reflect.Struct, reflect.Pointer:
		return "mapping"
	case reflect.Bool:
		return "true or false"
	}
	if wordsOf(t) != nil {
		return "word"
	}
	if t.Kind() == reflect.Int {
		return "number"
	}
	return "text"
}

// wordsOf asks the type itself: it names the words that it takes when it refuses
// another. It is nil when they are no closed list.
func wordsOf(t reflect.Type) []string {
	v := reflect.New(t).Elem()
	var refusal *wordError
	if !isText(v) || !errors.As(setText(v, "\x00"), &refusal) {
		return nil
	}
	return refusal.words
}

func (f fieldInfo) unit() string {
	switch typeWord(f.kind) {
	case "duration":
		return "ms, s, m, h"
	case "size":
		return "bytes, kB, MB, GB, KiB, MiB, GiB"
	case "file mode":
		return "octal digits"
	}
	return f.tag.Get("unit")
}

// defaultText is the default as the file would have it.
func (f fieldInfo) defaultText() string {
	text, ok := f.tag.Lookup("default")
	switch {
	case f.tag.Get("required") == "true":
		return ""
	case f.kind == reflect.TypeFor[[]Sink]():
		return "[{name: stdout, stdout: {}}]"
	case ok && typeWord(f.kind) != "text":
		return text // a file mode would be quoted
	case ok || isValue(f.kind):
		return oneLine(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text})
	case f.kind.Kind() == reflect.Slice:
		return "[]"
	case f.kind.Kind() == reflect.Map:
		return "{}"
	}
	return ""
}
