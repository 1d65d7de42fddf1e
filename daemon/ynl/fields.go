// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"maps"
	"slices"
	"strings"
)

// A ValueType is the type of decoded values, as far as the specification determines it.
type ValueType uint8

// The types of values.
const (
	TextType    ValueType = iota + 1 // also bytes, names of an enum, and values of several types
	NumberType                       //
	FlagType                         // a boolean
	ObjectType                       //
	TextsType                        // a list of texts, such as the names of flags
	NumbersType                      // a list of numbers
	ListType                         // a list of other values
)

// A Field describes the values at a path in the attributes of a family's events.
type Field struct {
	Type  ValueType
	Names []string // of the fields of an object, with underscores in place of dashes
	// Values are the texts that are possible in addition to numbers, also in a list of texts;
	// nil if they are not known.
	Values []string
}

// Commands returns the names of the commands of the family's events, sorted.
func (s *Spec) Commands() []string {
	names := make(map[string]bool)
	for number := range len(s.events) {
		if c := s.command(uint8(number)); c != nil {
			names[c.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Field returns the field at a path in the attributes of any event of the family. The names
// in the path have underscores in place of dashes; an entry of a list has its number. It
// returns false if no event has the field. An attribute that the specification does not
// know has its number as name, and is a text.
func (s *Spec) Field(path []string) (Field, bool) {
	nodes := []node{{attr: &attr{kind: kindNest}, roots: s.roots()}}
	for _, name := range path {
		var next []node
		for i := range nodes {
			for _, child := range nodes[i].children(name) {
				if !slices.ContainsFunc(next, child.equal) {
					next = append(next, child)
				}
			}
		}
		nodes = next
	}
	if len(nodes) == 0 {
		return Field{}, false
	}
	return fieldOf(nodes), true
}

// Combine returns the field of events that have one or the other. Values of two types are a
// text, because the text of any value is known.
func (f Field) Combine(other Field) Field {
	if f.Type != other.Type {
		f.Type, f.Values = TextType, nil
	}
	if f.Values == nil || other.Values == nil {
		f.Values = nil
	} else {
		f.Values = union(f.Values, other.Values)
	}
	f.Names = union(f.Names, other.Names)
	return f
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func fieldOf(nodes []node) Field {
	field := nodes[0].field()
	for i := range nodes[1:] {
		field = field.Combine(nodes[1+i].field())
	}
	return field
}

// A root is what the attributes of a command consist of.
type root struct {
	header *structure
	set    *attrSet
}

// roots returns the contents of all events.
func (s *Spec) roots() []root {
	all := []root{{set: s.other}}
	for number := range len(s.events) {
		if c := s.command(uint8(number)); c != nil {
			all = append(all, root{c.header, c.set})
		}
	}
	return all
}

// A node is an attribute that events can have at a path.
type node struct {
	*attr
	isEntry bool   // of the list that a repeated attribute forms
	roots   []root // contents of an object, in addition to those of the attribute
	index   bool   // an object of an array, which begins with its index
}

func (n node) equal(other node) bool {
	return n.attr == other.attr && n.isEntry == other.isEntry && n.index == other.index
}

func (n *node) isList() bool { return n.multi && !n.isEntry }

// contents returns the contents of an object; nil for another value.
func (n *node) contents() []root {
	switch {
	case n.isList() || n.kind == kindArray && !n.index:
		return nil
	case n.roots != nil:
		return n.roots
	case n.kind == kindNest || n.kind == kindTypeValue || n.kind == kindArray:
		return []root{{set: n.nested}}
	case n.kind == kindBinary && n.layout != nil:
		return []root{{header: n.layout}}
	case n.kind == kindSubMessage:
		all := []root{{}}
		for _, format := range *n.formats {
			all = append(all, root(format))
		}
		return all
	}
	return nil
}

// numbers returns the names of the numbers that an object contains in addition to attributes.
func (n *node) numbers() []string {
	switch {
	case n.index:
		return []string{indexName}
	case n.kind == kindTypeValue:
		return n.typeValue
	}
	return nil
}

// fields calls visit for each field of an object with its name.
func (n *node) fields(visit func(name string, child node)) {
	for _, name := range n.numbers() {
		visit(name, node{attr: &attr{kind: kindScalar}})
	}
	if n.kind == kindBitfield && !n.isList() {
		visit("value", node{attr: n.item})
		visit("selector", node{attr: n.item})
	}
	for _, r := range n.contents() {
		if r.header != nil {
			for i := range r.header.members {
				visit(r.header.members[i].name, node{attr: &r.header.members[i].attr})
			}
		}
		r.set.each(func(a *attr) { visit(a.name, node{attr: a}) })
	}
}

// each calls visit for each attribute of a set that has a value.
func (s *attrSet) each(visit func(a *attr)) {
	if s == nil {
		return
	}
	for _, a := range slices.Concat(s.dense, slices.Collect(maps.Values(s.far))) {
		if a != nil && a.kind != kindUnused && a.kind != kindPad {
			visit(a)
		}
	}
}

// children returns the fields or the entries with a name.
func (n *node) children(name string) (list []node) {
	if IsNumber(name) {
		if entry, ok := n.entry(); ok {
			return []node{entry}
		}
	}
	n.fields(func(field string, child node) {
		if PathName(field) == name {
			list = append(list, child)
		}
	})
	if len(list) == 0 && IsNumber(name) && n.contents() != nil {
		list = append(list, node{attr: &attr{kind: kindString}}) // an attribute that is not known
	}
	return list
}

// entry returns the node of the entries of a list.
func (n *node) entry() (node, bool) {
	switch {
	case n.isList():
		return node{attr: n.attr, isEntry: true}, true
	case n.kind == kindArray && n.index:
		return node{}, false
	case n.kind == kindArray && n.item != nil, n.kind == kindBinary && n.layout == nil && n.item != nil:
		return node{attr: n.item}, true
	case n.kind == kindArray:
		return node{attr: n.attr, isEntry: true, index: true}, true
	case n.kind == kindScalar && n.enum != nil && n.flags:
		return node{attr: &attr{kind: kindScalar, enum: n.enum}}, true
	}
	return node{}, false
}

func (n *node) field() Field {
	if entry, ok := n.entry(); ok {
		switch of := entry.field(); of.Type {
		case TextType:
			return Field{Type: TextsType, Values: of.Values}
		case NumberType:
			return Field{Type: NumbersType}
		}
		return Field{Type: ListType}
	}
	if n.contents() != nil || n.kind == kindBitfield {
		var names []string
		n.fields(func(name string, _ node) { names = append(names, PathName(name)) })
		return Field{Type: ObjectType, Names: union(names, nil)}
	}
	switch {
	case n.kind == kindFlag:
		return Field{Type: FlagType}
	case n.kind == kindScalar && n.enum != nil:
		return Field{Type: TextType, Values: n.enum.names()}
	case n.kind == kindScalar && !n.isAddress:
		return Field{Type: NumberType}
	}
	return Field{Type: TextType}
}

// names returns the names of an enum, sorted.
func (e *enum) names() (names []string) {
	for _, name := range slices.Concat(e.dense, slices.Collect(maps.Values(e.far))) {
		if name != nil {
			names = append(names, string(name))
		}
	}
	return union(names, nil)
}

// PathName returns the name of an attribute as paths contain it, with underscores in place
// of dashes.
func PathName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// IsNumber reports whether a name of an attribute or a command is a number, because the
// specification does not know its name.
func IsNumber(name string) bool {
	return name != "" && strings.Trim(name, "0123456789") == ""
}
