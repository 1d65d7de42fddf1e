// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"reflect"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/strict"
)

// A Source is a kind of file: its keys, and the texts that describe them.
type Source struct {
	Root     any // pointer to a struct with the tags of package strict
	Variants []strict.Variant
	// Reference contains every key with its default, or with an example where there is no
	// default. The comment before a key describes it. VariantReferences contain the keys of
	// the variants, by variant.
	Reference         []byte
	VariantReferences map[string][]byte
	// Examples contain every key with a value that is not its default.
	Examples        []byte
	VariantExamples map[string][]byte
}

func (s *Source) root() reflect.Type { return reflect.TypeOf(s.Root).Elem() }

// A Key is one key of the file, for its documentation. Values are written as in the file, on
// one line.
type Key struct {
	Path     string   // like sinks[].webhook.url: the entries of a list count as one
	Variant  string   // the variant of a union that the key belongs to; empty for other keys
	Type     string   // see typeWord
	Words    []string // all values, if they are a closed list
	Unit     string   // the unit of a number, or how a duration, size or file mode is written
	Default  string   // empty for a required key, and for a mapping, whose keys have defaults
	Min, Max string   // both included; empty for no limit
	Required bool
	Restart  bool   // a change is applied by a restart, not by a reload
	Example  string // never the default
	Comment  string // the text of the reference
}

// Keys returns every key, each before those within it. It parses the texts each time: it is
// for generators and tests.
func (s *Source) Keys() []Key {
	comments, values := map[string]map[string]string{"": commentsOf(s.Reference)}, map[string]map[string]string{"": valuesOf(s.Examples)}
	for _, v := range s.Variants {
		comments[v.Key], values[v.Key] = commentsOf(s.VariantReferences[v.Key]), valuesOf(s.VariantExamples[v.Key])
	}
	var keys []Key
	for _, f := range s.fields(s.root(), "", "") {
		k := f.key()
		k.Comment, k.Example = comments[f.variant][f.path], values[f.variant][f.path]
		keys = append(keys, k)
	}
	return keys
}

// Defaults returns the values of the references by path, for tests that compare them with the
// defaults of the keys.
func (s *Source) Defaults() map[string]string { return valuesOf(s.Reference) }

func commentsOf(text []byte) map[string]string {
	comments := make(map[string]string)
	collectComments(mustParse(text), "", "", comments)
	return comments
}

// valuesOf returns the first value of every key on one line, by path.
func valuesOf(text []byte) map[string]string {
	nodes, values := make(map[string]*yaml.Node), make(map[string]string)
	collectValues(mustParse(text), "", nodes)
	for path, n := range nodes {
		values[path] = oneLine(n)
	}
	return values
}

// fieldInfo is a field with its place in the file.
type fieldInfo struct {
	path    string
	variant string
	kind    reflect.Type
	tag     reflect.StructTag
}

// fields returns the fields of t, and those within each of them after it.
func (s *Source) fields(t reflect.Type, path, variant string) []fieldInfo {
	switch {
	case t.Kind() == reflect.Slice:
		return s.fields(t.Elem(), path+"[]", variant)
	case !strict.IsMapping(t):
		return nil
	}
	var all []fieldInfo
	for _, f := range strict.Fields(t, s.Variants) {
		info := fieldInfo{strict.Join(path, f.Key), variant, f.Type, f.Tag}
		if f.Variant {
			info.variant = f.Key
		}
		all = append(all, info)
		all = append(all, s.fields(f.Type, info.path, info.variant)...)
	}
	return all
}

func (f fieldInfo) key() Key {
	return Key{
		Path:     f.path,
		Variant:  f.variant,
		Type:     typeWord(f.kind, f.tag),
		Words:    strict.Words(f.kind, f.tag),
		Unit:     f.unit(),
		Default:  f.defaultText(),
		Min:      f.tag.Get("min"),
		Max:      f.tag.Get("max"),
		Required: f.tag.Get("required") == "true",
		Restart:  f.tag.Get("reload") == "restart",
	}
}

// typeWord returns the word for the values of a type: that of strict.Described, word (one of
// a closed list), number, text, "true or false", mapping, "mapping of texts", or "list of"
// these in the plural.
func typeWord(t reflect.Type, tag reflect.StructTag) string {
	if d, ok := reflect.New(t).Interface().(strict.Described); ok {
		return d.Describe().Type
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeWord(t.Elem(), "") + "s"
	case reflect.Map:
		return "mapping of " + typeWord(t.Elem(), "") + "s"
	case reflect.Struct:
		return "mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	if strict.Words(t, tag) != nil {
		return "word"
	}
	return "text"
}

func (f fieldInfo) unit() string {
	if d, ok := reflect.New(f.kind).Interface().(strict.Described); ok {
		return d.Describe().Unit
	}
	return f.tag.Get("unit")
}

// defaultText returns the default as it is written in the file.
func (f fieldInfo) defaultText() string {
	text, ok := f.tag.Lookup("default")
	switch {
	case f.tag.Get("required") == "true":
		return ""
	case f.tag.Get("shown") != "":
		return f.tag.Get("shown")
	case ok && typeWord(f.kind, f.tag) != "text":
		return text // YAML would quote a file mode
	case ok && strict.IsOldBool(text):
		return strconv.Quote(text) // yaml.v3 would not
	case ok || strict.IsValue(f.kind):
		return oneLine(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text})
	case f.kind.Kind() == reflect.Slice:
		return "[]"
	case f.kind.Kind() == reflect.Map:
		return "{}"
	}
	return ""
}
