// SPDX-License-Identifier: Apache-2.0

package event

import (
	"iter"
	"strconv"
	"strings"
)

// A ValueKind is the type of a Value.
type ValueKind uint8

// The kinds of values.
const (
	NoValue ValueKind = iota
	ObjectValue
	ListValue
	TextValue  // the bytes of a string, without its terminating NUL; not necessarily UTF-8
	BytesValue // shown as hexadecimal digits or as its Format requires
	UintValue
	IntValue
	BoolValue
)

// An Object is the decoded content of a message: names and values, in the order of the
// message. The zero Object is empty. Its values may point into the memory of the message.
type Object struct{ nodes []node }

// A Value is one value of an Object. The zero Value has the kind NoValue.
type Value struct{ nodes []node }

// A node is a value; the nodes of the values that it contains follow it. One slice for
// all values of an object costs one allocation for any depth of nesting.
type node struct {
	name   string // empty for an entry of a list
	data   []byte // of a text or bytes
	number uint64 // of a number or boolean
	size   int32  // number of nodes: this node and those of the values within it
	kind   ValueKind
	format Format
}

// Value returns the object as a Value.
func (o Object) Value() Value {
	if len(o.nodes) == 0 {
		return Value{[]node{{kind: ObjectValue, size: 1}}}
	}
	return Value(o)
}

// Fields returns the names and values of the object, in order.
func (o Object) Fields() iter.Seq2[string, Value] { return o.Value().Fields() }

// Lookup returns the value at a path: see Value.Lookup.
func (o Object) Lookup(path string) (Value, bool) { return o.Value().Lookup(path) }

// AppendJSON appends the object as JSON: see Value.AppendJSON.
func (o Object) AppendJSON(dst []byte) []byte {
	if len(o.nodes) == 0 {
		return append(dst, "{}"...) // without the allocation of Value
	}
	return Value(o).AppendJSON(dst)
}

// Kind returns the type of v.
func (v Value) Kind() ValueKind {
	if len(v.nodes) == 0 {
		return NoValue
	}
	return v.nodes[0].kind
}

// Uint returns the number of a UintValue.
func (v Value) Uint() uint64 { return v.number(UintValue) }

// Int returns the number of an IntValue.
func (v Value) Int() int64 { return int64(v.number(IntValue)) }

// Bool returns the boolean of a BoolValue.
func (v Value) Bool() bool { return v.number(BoolValue) != 0 }

func (v Value) number(kind ValueKind) uint64 {
	if v.Kind() != kind {
		return 0
	}
	return v.nodes[0].number
}

// Bytes returns the bytes of a TextValue or BytesValue. They must not be modified.
func (v Value) Bytes() []byte {
	if len(v.nodes) == 0 {
		return nil
	}
	return v.nodes[0].data
}

// Fields returns the names and values of an ObjectValue.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != ObjectValue {
			return
		}
		for rest := v.nodes[1:]; len(rest) > 0; rest = rest[rest[0].size:] {
			if !yield(rest[0].name, Value{rest[:rest[0].size]}) {
				return
			}
		}
	}
}

// Items returns the entries of a ListValue.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != ListValue {
			return
		}
		for rest := v.nodes[1:]; len(rest) > 0; rest = rest[rest[0].size:] {
			if !yield(Value{rest[:rest[0].size]}) {
				return
			}
		}
	}
}

// Lookup returns the value at a path of names that are separated by dots, such as
// "header.dev-name". An underscore in the path matches a dash in the name. The number of
// an entry of a list, from 0, is a name. The empty path is v itself.
func (v Value) Lookup(path string) (Value, bool) {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		next, ok := v.entry(name)
		if !ok {
			return Value{}, false
		}
		v = next
	}
	return v, len(v.nodes) > 0
}

// entry returns the value of a name of an object, or of a number of a list.
func (v Value) entry(name string) (Value, bool) {
	if v.Kind() == ListValue {
		n, err := strconv.Atoi(name)
		for item := range v.Items() {
			if n == 0 && err == nil {
				return item, true
			}
			n--
		}
		return Value{}, false
	}
	for known, value := range v.Fields() {
		if isNamed(known, name) {
			return value, true
		}
	}
	return Value{}, false
}

// isNamed compares a name with an element of a path.
func isNamed(known, name string) bool {
	if len(known) != len(name) {
		return false
	}
	for i := range len(name) {
		if known[i] != name[i] && (known[i] != '-' || name[i] != '_') {
			return false
		}
	}
	return true
}

// Plain returns v for the language of filters: a map[string]any with underscores in place
// of the dashes in names, a []any, string, int, uint64 (above the range of int) or bool.
// A zero Value is nil.
func (v Value) Plain() any {
	switch v.Kind() {
	case ObjectValue:
		object := make(map[string]any)
		for name, value := range v.Fields() {
			object[strings.ReplaceAll(name, "-", "_")] = value.Plain()
		}
		return object
	case ListValue:
		list := []any{}
		for item := range v.Items() {
			list = append(list, item.Plain())
		}
		return list
	case TextValue, BytesValue:
		return string(v.AppendText(nil))
	case UintValue:
		if n := v.Uint(); int(n) < 0 {
			return n
		}
		return int(v.Uint())
	case IntValue:
		return int(v.Int())
	case BoolValue:
		return v.Bool()
	}
	return nil
}
