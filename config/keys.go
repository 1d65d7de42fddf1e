// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// keysOf returns the YAML key of every exported field, in order. Unexported ones,
// which the file does not have, come last in their struct.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			keys = append(keys, f.Tag.Get("yaml"))
		}
	}
	return keys
}

// hasRequired says whether an empty mapping would not do for a t.
func hasRequired(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("required") == "true" {
			return true
		}
	}
	return false
}

// setDefaults sets what has a default tag in a struct and the structs within
// it, but not in the pointers and lists.
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

// limit is the value of a min or max tag, as a type of the same kind as v.
func limit(v reflect.Value, text string) reflect.Value {
	l := reflect.New(v.Type()).Elem()
	mustSetText(l, text)
	return l
}

// mustSetText is for the text of tags: a bad one is found by every test.
func mustSetText(v reflect.Value, text string) {
	if err := setText(v, text); err != nil {
		panic(fmt.Sprintf("config: a tag of a %s: %v", v.Type(), err))
	}
}

// setText sets a scalar from its text.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%s is out of any range; write fewer digits", quote(text))
		}
		if err != nil || strconv.Itoa(n) != text {
			return fmt.Errorf("%s is not a whole number; write decimal digits, like 256", quote(text))
		}
		v.SetInt(int64(n))
		return nil
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false; write one of these", quote(text))
		}
		v.SetBool(text == "true")
		return nil
	}
	panic(fmt.Sprintf("config: no scalar: %s", v.Type()))
}

// join appends a key to a path. The path of the whole file is empty.
func join(path, key string) string {
	return strings.TrimPrefix(path+"."+key, ".")
}
