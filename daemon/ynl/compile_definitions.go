// SPDX-License-Identifier: Apache-2.0

package ynl

import "github.com/genltestd/genltestd/config/strict"

// definitions reads constants, enums, flags and structs.
func (c *compiler) definitions() {
	first := make(map[string]strict.Section)
	for i := range c.file.Definitions {
		d, s := &c.file.Definitions[i], c.root.At("definitions", i)
		s.Unique(first, "name", string(d.Name), "rename one of them")
		switch d.Type {
		case "const":
			if v, ok := parseNumber(string(d.Value)); ok {
				c.consts[string(d.Name)] = v
			}
		case "enum", "flags":
			c.enums[string(d.Name)] = c.enum(d, s)
		case "struct":
			c.structs[string(d.Name)] = &structDefinition{section: s, members: d.Members}
		}
	}
}

// maxDense limits the values that a table may have without a name: in a hostile file, each
// of thousands of tables would be large.
const maxDense = 64

// enum numbers the entries of an enum: from value-start on, and from the value of an entry
// on.
func (c *compiler) enum(d *definition, s strict.Section) *enum {
	e := &enum{isFlags: d.Type == "flags", far: make(map[uint64][]byte)}
	value := d.Start.or(0)
	first := make(map[string]strict.Section)
	for i, entry := range d.Entries {
		s := s.At("entries", i)
		s.Unique(first, "name", string(entry.Name), "rename one of them")
		value = entry.Value.or(value)
		switch {
		case e.isFlags && value > 63:
			s.Errorf("value", "bit %d does not exist; the last bit is 63", value)
		case e.far[value] == nil: // a second name of a value is an alias
			e.far[value] = []byte(entry.Name)
		}
		value++
	}
	e.pack()
	return e
}

// pack moves the names of small values from the map to the table.
func (e *enum) pack() {
	for size := uint64(2*len(e.far) + maxDense); uint64(len(e.dense)) < size; {
		name := e.far[uint64(len(e.dense))]
		delete(e.far, uint64(len(e.dense)))
		e.dense = append(e.dense, name)
		size = uint64(2*len(e.far)) + maxDense
		if len(e.far) == 0 {
			break
		}
	}
}

// maxStruct limits the size of a struct, which is a part of an attribute.
const maxStruct = 1 << 16

// structure places the members of a struct.
func (c *compiler) structure(d *structDefinition) *structure {
	if d.isDone {
		return &d.structure
	}
	if d.isOpen {
		d.section.Errorf("members", "the struct contains itself; remove the member")
		return &d.structure
	}
	d.isOpen = true
	if len(d.members) == 0 {
		d.section.Errorf("members", "are missing; a struct has at least one member")
	}
	first := make(map[string]strict.Section)
	for i := range d.members {
		m, s := &d.members[i], d.section.At("members", i)
		if m.Type != "pad" {
			s.Unique(first, "name", string(m.Name), "rename one of them")
		}
		compiled, size := c.member(m, s)
		d.size += size
		if d.size > maxStruct {
			s.Errorf("len", "the struct has more than %d bytes; an attribute is smaller", maxStruct)
			break
		}
		d.structure.members = append(d.structure.members, structMember{*compiled, size})
	}
	d.isOpen, d.isDone = false, true
	return &d.structure
}

// member returns a member of a struct, and its size.
func (c *compiler) member(m *member, s strict.Section) (*attr, int) {
	a := &attribute{
		Name: m.Name, Type: typeName(m.Type), Order: m.Order, Enum: m.Enum, Flags: m.Flags, Hint: m.Hint,
	}
	compiled := c.newAttr(a, s)
	switch {
	case m.Type == "pad":
		compiled.kind = kindPad
	case m.Struct != "":
		d, ok := find(c, s, "struct", m.Struct, c.structs, "the struct")
		if !ok {
			return compiled, 1
		}
		compiled.layout = c.structure(d)
		return compiled, compiled.layout.size
	case compiled.kind == kindScalar:
		return compiled, compiled.size
	}
	return compiled, c.length(m, s)
}

// length returns the length of a member that is not a number.
func (c *compiler) length(m *member, s strict.Section) int {
	size, ok := c.resolve(string(m.Len))
	switch {
	case m.Len == "":
		s.Errorf("len", "is missing; a member of type %s has a length", m.Type)
	case !ok:
		s.Errorf("len", "the constant %q is not defined; define it, or write a number", m.Len)
	case size == 0 || size > maxStruct:
		s.Errorf("len", "%d bytes are out of range; write 1 to %d", size, maxStruct)
	default:
		return int(size)
	}
	return 1
}

// resolve returns the value of a number or of a constant, less 1 after " - 1".
func (c *compiler) resolve(text string) (uint64, bool) {
	const lessOne = " - 1"
	less := uint64(0)
	if n := len(text) - len(lessOne); n > 0 && text[n:] == lessOne {
		text, less = text[:n], 1
	}
	v, ok := parseNumber(text)
	if !ok {
		v, ok = c.consts[text]
	}
	return v - less, ok
}
