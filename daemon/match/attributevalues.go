// SPDX-License-Identifier: Apache-2.0

package match

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// Attributes contains the attributes that one expression uses, one list for each type. An
// attribute that the event does not have, or that has another type, is empty, 0 or false.
// The type is exported for expr.
type Attributes struct {
	Texts       []string   `expr:"attribute texts"`
	Numbers     []int      `expr:"attribute numbers"`
	Flags       []bool     `expr:"attribute flags"`
	TextLists   [][]string `expr:"attribute text lists"`
	NumberLists [][]int    `expr:"attribute number lists"`
	Lists       [][]any    `expr:"attribute lists"`
	Values      []any      `expr:"attribute values"` // of types that are not known
	Present     []bool     `expr:"attribute presence"`
}

// An attributeTable contains the paths of the attributes that an expression uses, in the
// order of the lists of Attributes.
type attributeTable struct {
	texts, numbers, flags, textLists, numberLists, lists, values, present []string
}

// add returns the element of the attribute at a path.
func (t *attributeTable) add(path attributePath, of ynl.ValueType) element {
	switch of {
	case ynl.TextType:
		return elementOf[string](&t.texts, path, "attribute texts")
	case ynl.NumberType:
		return elementOf[int](&t.numbers, path, "attribute numbers")
	case ynl.FlagType:
		return elementOf[bool](&t.flags, path, "attribute flags")
	case ynl.TextsType:
		return elementOf[[]string](&t.textLists, path, "attribute text lists")
	case ynl.NumbersType:
		return elementOf[[]int](&t.numberLists, path, "attribute number lists")
	case ynl.ListType:
		return elementOf[[]any](&t.lists, path, "attribute lists")
	}
	return elementOf[any](&t.values, path, "attribute values")
}

// addPresence returns the element that is true if an event has the attribute.
func (t *attributeTable) addPresence(path attributePath) element {
	return elementOf[bool](&t.present, path, "attribute presence")
}

func elementOf[T any](paths *[]string, path attributePath, list string) element {
	text := strings.Join(path, ".")
	i := slices.Index(*paths, text)
	if i < 0 {
		i = len(*paths)
		*paths = append(*paths, text)
	}
	return element{list, i, reflect.TypeFor[T]()}
}

// fill sets the attributes of an event. It reuses the memory of the lists.
func (a *Attributes) fill(t *attributeTable, e *event.Event) {
	var object event.Object
	if e.Content != nil {
		object = e.Content.Attributes
	}
	a.Texts = fillList(a.Texts, t.texts, object, textOf)
	a.Numbers = fillList(a.Numbers, t.numbers, object, numberOf)
	a.Flags = fillList(a.Flags, t.flags, object, isSet)
	a.TextLists = fillList(a.TextLists, t.textLists, object, textsOf)
	a.NumberLists = fillList(a.NumberLists, t.numberLists, object, numbersOf)
	a.Lists = fillList(a.Lists, t.lists, object, plainsOf)
	a.Values = fillList(a.Values, t.values, object, event.Value.Plain)
	a.Present = fillList(a.Present, t.present, object, isPresent)
}

func fillList[T any](list []T, paths []string, object event.Object, of func(event.Value) T) []T {
	list = list[:0]
	for _, path := range paths {
		v, _ := object.Lookup(path)
		list = append(list, of(v))
	}
	return list
}

func textOf(v event.Value) string { return string(v.AppendText(nil)) }

// numberOf returns the greatest number of the language for a greater one.
func numberOf(v event.Value) int {
	switch v.Kind() {
	case event.UintValue:
		return int(min(v.Uint(), math.MaxInt64))
	case event.IntValue:
		return int(v.Int())
	}
	return 0
}

// isSet returns true also for a flag that has an unexpected content.
func isSet(v event.Value) bool { return isPresent(v) && (v.Kind() != event.BoolValue || v.Bool()) }

func isPresent(v event.Value) bool { return v.Kind() != event.NoValue }

func textsOf(v event.Value) []string { return listOf(v, textOf) }

func numbersOf(v event.Value) []int { return listOf(v, numberOf) }

func plainsOf(v event.Value) []any { return listOf(v, event.Value.Plain) }

// listOf converts the entries of a list. A single value is the only entry.
func listOf[T any](v event.Value, of func(event.Value) T) (list []T) {
	if v.Kind() != event.ListValue && isPresent(v) {
		return []T{of(v)}
	}
	for item := range v.Items() {
		list = append(list, of(item))
	}
	return list
}
