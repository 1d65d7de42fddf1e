// SPDX-License-Identifier: Apache-2.0

// Package strict decodes YAML into tagged structs, and reports every fault with its
// line and column. It knows no key and no type of the program that uses it.
//
// A key is declared once, as a field of a struct. The tags of the field:
//
//	yaml      the key
//	default   the value of a key that the file does not contain
//	min, max  the range, both ends included
//	unit      the unit of a number
//	oneof     the accepted words, separated by spaces
//	required  "true" for a key without a default; example then shows a valid value
//	reload    "restart" if a change is applied at the next start only
//	word      a word that a secret accepts in place of a secret
//	public    "true" for a text that an error may repeat: it never contains a secret
//	name      "true" for a text that is a name: it needs no quotes and no spaces
//	path      "true" for a text that may look like a path with variables
//	prefix    a word before a secret that is a mistake
//	main      "true" for the key that a value without a key is meant for
//	shown     the default of a list, for the documentation
//	union     the name of the string field that receives the key of the variant
//	null      "true" for a key that may have no value, which leaves the default
//
// A field with the tag union has an interface type. The mapping contains the key of one
// Variant; the key decides the type of the value.
//
// Rules about several keys, and the form of a text, are methods of the struct: see
// Checker and Conditional. Other optional interfaces improve errors.
package strict

import "reflect"

// A Checker has rules that tags cannot express. Check is called after decoding.
type Checker interface{ Check(s Section) }

// A Conditional is a struct with keys that can be ineffective.
type Conditional interface{ Ineffective() []Ineffective }

// An Ineffective key changes nothing, because of the values of other keys.
type Ineffective struct {
	Key string
	Why string // follows "has no effect", and contains the remedy
	// Beside has keys that already show this to the reader. If the file contains one of
	// them, the default value is accepted, so that a file can list every key.
	Beside []string
}

// A Value is a struct that is one value of the file: a text, or a mapping.
type Value interface {
	// YAML returns the value on one line, without the text of a secret. Word is the tag of
	// the field.
	YAML(word string) string
}

// A Sensitive value can be a secret. Errors do not repeat it.
type Sensitive interface{ IsSensitive() bool }

// A Suspicious value recognizes texts that are valid, but most likely a mistake.
type Suspicious interface {
	// Suspicion returns a warning with a remedy; empty for an ordinary text. It must not
	// contain the text.
	Suspicion(text string) string
}

// A Described value has a type of its own in the documentation and in the schema.
type Described interface{ Describe() Description }

// A Description is for the documentation and the schema of a type.
type Description struct {
	Type   string         // such as "duration"
	Unit   string         // how a value is written; may be empty
	Words  []string       // all values, if they are a closed list
	Schema map[string]any // JSON Schema
}

// A Guide advises how to write a value that has another shape in the file.
type Guide interface{ ShapeAdvice(isList bool) string }

// A Union is a struct with a union field. Noun is the word for it in errors, such as "sink".
type Union interface{ Noun() string }

// A Variant is one key that decides the type of a union field.
type Variant struct {
	Key string
	New func() any // returns a pointer to a struct with the tags of this package

	// Words are those of other programs for the variant, separated by spaces, and the
	// advice for each set of them; the advice may be empty.
	Words []VariantWords
}

// VariantWords are words that other programs use for a variant.
type VariantWords struct {
	Words  string // separated by spaces
	Advice string // what to write; empty if the name of the variant explains itself
}

func (v *Variant) structType() reflect.Type { return reflect.TypeOf(v.New()).Elem() }

// implements returns a zero value of type t as T, if a pointer to t implements T.
func implements[T any](t reflect.Type) (T, bool) {
	v, ok := reflect.New(t).Interface().(T)
	return v, ok
}

func isSensitive(t reflect.Type) bool {
	s, ok := implements[Sensitive](t)
	return ok && s.IsSensitive()
}

// IsValue reports whether the struct type t is one value: a text, or a mapping.
func IsValue(t reflect.Type) bool {
	_, ok := implements[Value](t)
	return ok && t.Kind() == reflect.Struct
}

// IsMapping reports whether t is a struct with keys, and not a Value.
func IsMapping(t reflect.Type) bool { return t.Kind() == reflect.Struct && !IsValue(t) }
