// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	_ "embed" // for the texts
	"strings"

	"github.com/genltestd/genltestd/config/schema"
	"github.com/genltestd/genltestd/daemon/sink"
)

// keysText describes all keys but those of the kinds of sinks. It ends within the default
// sink.
//
//go:embed keys.yaml
var keysText string

// examplesText contains these keys with values that are not their defaults.
//
//go:embed examples.yaml
var examplesText []byte

// Reference returns a configuration file with every key, its default and its description. It
// means the same as Default: the kinds after the first are comments.
func Reference(kinds []sink.Kind) []byte {
	var b strings.Builder
	b.WriteString(keysText)
	for i, kind := range kinds {
		doc, _ := parts(kind)
		if i == 0 {
			b.WriteString("\n" + indented(withoutName(doc), "    ", "") + "\n" +
				"  # The other kinds, an example of each. They share all the keys above.\n")
			continue
		}
		intro, entry, _ := strings.Cut(doc, "\n- name: ")
		b.WriteString("\n" + indented(intro+"\n", "  ", "") + "  #\n" + indented("- name: "+entry, "  # ", "  #"))
	}
	return []byte(b.String())
}

// parts returns the description and the examples of a kind.
func parts(kind sink.Kind) (doc, examples string) {
	doc, examples, _ = strings.Cut(string(kind.Reference), "\n---\n")
	_, doc, _ = strings.Cut(doc, "\n\n") // without the licence
	return doc + "\n", examples
}

// withoutName removes the name from an entry of the list of sinks.
func withoutName(doc string) string {
	var b strings.Builder
	for line := range strings.Lines(doc) {
		if !strings.HasPrefix(line, "- name: ") {
			b.WriteString(strings.TrimPrefix(line, "  "))
		}
	}
	return b.String()
}

// indented adds a prefix to each line; empty is the prefix of an empty line.
func indented(text, prefix, empty string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line == "\n" {
			b.WriteString(empty + line)
		} else {
			b.WriteString(prefix + line)
		}
	}
	return b.String()
}

// source returns the keys of the configuration with their descriptions.
func source(kinds []sink.Kind) *schema.Source {
	s := &schema.Source{
		Root: Default(kinds), Variants: sink.Variants(kinds),
		Reference: []byte(keysText), Examples: examplesText,
		VariantReferences: make(map[string][]byte), VariantExamples: make(map[string][]byte),
	}
	for _, kind := range kinds {
		doc, examples := parts(kind)
		// A comment before the first entry would belong to the whole list.
		s.VariantReferences[kind.Name] = []byte("sinks:\n- name: first\n" + doc)
		s.VariantExamples[kind.Name] = []byte("sinks:\n" + examples)
	}
	return s
}

// Describe returns every key of the configuration, for documentation. It parses the texts of
// the reference each time.
func Describe(kinds []sink.Kind) []schema.Key { return source(kinds).Keys() }

// Schema returns the JSON Schema of a configuration file.
func Schema(kinds []sink.Kind) []byte {
	return source(kinds).JSON("The configuration of genltestd.")
}

// Examples returns one configuration file for the common keys, and one for each kind, which
// contain every key with a value that is not its default.
func Examples(kinds []sink.Kind) [][]byte {
	all := [][]byte{bytes.Clone(examplesText)}
	for _, kind := range kinds {
		_, examples := parts(kind)
		all = append(all, []byte("sinks:\n"+examples))
	}
	return all
}
