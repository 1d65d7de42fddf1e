// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// An ObjectBuilder collects the values of an Object in their order. It reuses its memory
// for the next object. It is not safe for concurrent use.
//
// Reset begins an object. A method that adds a value accepts its name in the innermost
// open object; the name of an entry of a list is empty. The builder keeps the bytes that
// it is passed, and does not copy them.
type ObjectBuilder struct {
	nodes []node
	open  []int32 // the open objects and lists, from the outermost on
}

// Reset begins a new object.
func (b *ObjectBuilder) Reset() {
	clear(b.nodes) // no reference to an earlier message remains
	b.nodes, b.open = b.nodes[:0], b.open[:0]
	b.BeginObject("")
}

// Object returns the object. All objects and lists that were begun after Reset must be
// ended.
func (b *ObjectBuilder) Object() Object {
	b.nodes[0].size = int32(len(b.nodes))
	nodes := make([]node, len(b.nodes))
	copy(nodes, b.nodes)
	return Object{nodes}
}

// BeginObject begins an object, which the matching End ends.
func (b *ObjectBuilder) BeginObject(name string) { b.begin(name, ObjectValue) }

// BeginList begins a list, which the matching End ends.
func (b *ObjectBuilder) BeginList(name string) { b.begin(name, ListValue) }

func (b *ObjectBuilder) begin(name string, kind ValueKind) {
	b.open = append(b.open, int32(len(b.nodes)))
	b.add(node{name: name, kind: kind})
}

// End ends the innermost open object or list.
func (b *ObjectBuilder) End() {
	last := len(b.open) - 1
	begin := b.open[last]
	b.nodes[begin].size = int32(len(b.nodes)) - begin
	b.open = b.open[:last]
}

func (b *ObjectBuilder) add(n node) {
	n.size = 1
	b.nodes = append(b.nodes, n)
}

// Uint adds an unsigned number.
func (b *ObjectBuilder) Uint(name string, v uint64) {
	b.add(node{name: name, kind: UintValue, number: v})
}

// Int adds a signed number.
func (b *ObjectBuilder) Int(name string, v int64) {
	b.add(node{name: name, kind: IntValue, number: uint64(v)})
}

// Bool adds a boolean.
func (b *ObjectBuilder) Bool(name string, v bool) {
	n := node{name: name, kind: BoolValue}
	if v {
		n.number = 1
	}
	b.add(n)
}

// Text adds a text.
func (b *ObjectBuilder) Text(name string, text []byte) {
	b.add(node{name: name, kind: TextValue, data: text})
}

// Bytes adds bytes that are shown in the given format.
func (b *ObjectBuilder) Bytes(name string, data []byte, format Format) {
	b.add(node{name: name, kind: BytesValue, data: data, format: format})
}

// Find returns the value of a name in the innermost open object that contains it. The
// value is valid until the next change of the builder.
func (b *ObjectBuilder) Find(name string) (Value, bool) {
	end := int32(len(b.nodes))
	for i := len(b.open) - 1; i >= 0; i-- {
		begin := b.open[i]
		for at := begin + 1; at < end && b.nodes[begin].kind == ObjectValue; at += b.nodes[at].size {
			if b.nodes[at].name == name {
				return Value{b.nodes[at : at+b.nodes[at].size]}, true
			}
		}
		end = begin
	}
	return Value{}, false
}

// Path returns the path of a name in the innermost open object, for an error.
func (b *ObjectBuilder) Path(name string) string {
	var names []string
	for _, at := range b.open {
		if b.nodes[at].name != "" {
			names = append(names, b.nodes[at].name)
		}
	}
	if name != "" {
		names = append(names, name)
	}
	return strings.Join(names, ".")
}
