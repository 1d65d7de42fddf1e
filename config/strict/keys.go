// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A Field is one key of a struct type.
type Field struct {
	Key     string
	Type    reflect.Type
	Tag     reflect.StructTag
	Variant bool // the key is a variant of the union field

	index int // of the field in the struct
}

// Fields returns the keys of the struct type t, in the order of its fields. The variants
// are in the place of the union field.
func Fields(t reflect.Type, variants []Variant) (all []Field) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		switch {
		case f.Tag.Get("union") != "":
			for j := range variants {
				v := &variants[j]
				all = append(all, Field{Key: v.Key, Type: v.structType(), Variant: true, index: i})
			}
		case f.IsExported() && key != "" && key != "-":
			all = append(all, Field{Key: key, Type: f.Type, Tag: f.Tag, index: i})
		}
	}
	return all
}

// keysOf returns the names of the fields.
func keysOf(fields []Field) []string {
	keys := make([]string, len(fields))
	for i := range fields {
		keys[i] = fields[i].Key
	}
	return keys
}

// unionOf returns the index of the union field of a struct type; -1 without one.
func unionOf(t reflect.Type) int {
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("union") != "" {
				return i
			}
		}
	}
	return -1
}

// An Entry is one key of a struct value.
type Entry struct {
	Key   string
	Value reflect.Value
	Tag   reflect.StructTag
}

// Entries returns the keys of the struct v with their values. Of a union it contains the
// variant that is set.
func Entries(v reflect.Value) (all []Entry) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		switch receiver := f.Tag.Get("union"); {
		case receiver != "":
			if !v.Field(i).IsNil() {
				all = append(all, Entry{v.FieldByName(receiver).String(), v.Field(i).Elem().Elem(), ""})
			}
		case f.IsExported() && key != "" && key != "-":
			all = append(all, Entry{key, v.Field(i), f.Tag})
		}
	}
	return all
}

// Each calls do for every value of type T within v, a pointer to a struct, with its path.
func Each[T any](v any, do func(path string, value *T)) {
	each(reflect.ValueOf(v).Elem(), "", do)
}

func each[T any](v reflect.Value, path string, do func(path string, value *T)) {
	if v.CanAddr() {
		if value, ok := v.Addr().Interface().(*T); ok {
			do(path, value)
			return
		}
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			each(v.Index(i), fmt.Sprintf("%s[%d]", path, i), do)
		}
	case reflect.Struct:
		for _, e := range Entries(v) {
			each(e.Value, Join(path, e.Key), do)
		}
	}
}

// HasRequired reports whether an empty mapping is not a valid value of the struct type t.
func HasRequired(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("required") == "true" {
			return true
		}
	}
	return false
}

// SetDefaults sets the defaults of the struct that v points to, and of the structs within
// it. It sets nothing in lists.
func SetDefaults(v any) { setDefaults(reflect.ValueOf(v).Elem()) }

func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Struct {
			setDefaults(v.Field(i))
		}
		if text, ok := v.Type().Field(i).Tag.Lookup("default"); ok {
			mustSetText(v.Field(i), text)
		}
	}
}

// limit returns the value of a min or max tag, as a type of the same kind as v.
func limit(v reflect.Value, text string) reflect.Value {
	l := reflect.New(v.Type()).Elem()
	mustSetText(l, text)
	return l
}

// mustSetText is for the text of tags: every test finds a bad one.
func mustSetText(v reflect.Value, text string) {
	if err := setText(v, "", text); err != nil {
		panic(fmt.Sprintf("strict: a tag of a %s: %v", v.Type(), err))
	}
}

// setText sets a scalar from its text.
func setText(v reflect.Value, tag reflect.StructTag, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		return setString(v, tag, text)
	case reflect.Int:
		return setInt(v, text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false; write one of these", Quote(text))
		}
		v.SetBool(text == "true")
		return nil
	}
	panic(fmt.Sprintf("strict: %s is not a scalar", v.Type()))
}

func setString(v reflect.Value, tag reflect.StructTag, text string) error {
	if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, text) {
		return &WordError{Text: text, Fault: "is not known", Words: words}
	}
	v.SetString(text)
	return nil
}

func setInt(v reflect.Value, text string) error {
	n, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is out of any range; write fewer digits", Quote(text))
	}
	if err != nil || strconv.Itoa(n) != text {
		return fmt.Errorf("%s is not a whole number; write decimal digits, like 256", Quote(text))
	}
	v.SetInt(int64(n))
	return nil
}

// Words returns the accepted words of a field, nil if they are not a closed list.
func Words(t reflect.Type, tag reflect.StructTag) []string {
	if words := strings.Fields(tag.Get("oneof")); len(words) > 0 {
		return words
	}
	if d, ok := implements[Described](t); ok {
		return d.Describe().Words
	}
	return nil
}

// Join appends a key to a path. The path of the whole file is empty.
func Join(path, key string) string {
	return strings.TrimPrefix(path+"."+key, ".")
}

func parentOf(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// lastKey returns the last key of a path.
func lastKey(path string) string { return strings.TrimPrefix(path[len(parentOf(path)):], ".") }
