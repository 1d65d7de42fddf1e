// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"slices"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/event"
)

// formatOf returns the format of bytes, and whether a number is shown as an address.
func formatOf(h displayHint) (format event.Format, isAddress bool) {
	switch h {
	case "mac", "fddi":
		return event.MAC, false
	case "ipv4", "ipv6", "ipv4-or-v6":
		return event.Address, true
	case "uuid":
		return event.UUID, false
	}
	return event.Hex, false
}

// binary compiles bytes with a struct or a sub-type.
func (c *compiler) binary(to *attr, a *attribute, s strict.Section) {
	if d, ok := find(c, s, "struct", a.Struct, c.structs, "the struct"); ok {
		to.layout = c.structure(d)
	}
	if a.TypeOf != "" {
		to.selector, to.types = string(a.TypeOf), c.valueTypes(a, s)
	}
	if a.SubType == "" {
		return
	}
	if sizeOf(string(a.SubType)) == 0 {
		s.Errorf("sub-type", "%q is not a number of a fixed size; write a type such as u32", a.SubType)
		return
	}
	to.item = c.item(a, s)
}

// valueTypes returns the types of a value whose type another attribute names.
func (c *compiler) valueTypes(a *attribute, s strict.Section) map[string]*attr {
	types := make(map[string]*attr)
	for _, name := range []typeName{"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "string", "flag"} {
		value := *a
		value.Type, value.TypeOf, value.SubType, value.Struct = name, "", "", ""
		types[string(name)] = c.newAttr(&value, s)
	}
	types["nul-string"] = types["string"]
	return types
}

// nest compiles an attribute that contains attributes.
func (c *compiler) nest(to *attr, a *attribute, s strict.Section) {
	need(s, "nested-attributes", a.Nested, "write the name of the attribute set of the nest")
	to.nested, _ = find(c, s, "nested-attributes", a.Nested, c.sets, "the attribute set")
	if a.Type != "nest-type-value" {
		return
	}
	to.kind = kindTypeValue
	if len(a.TypeValue) == 0 {
		s.Errorf("type-value", "is missing; write a list of names for the values in the types")
	}
	for i, name := range a.TypeValue {
		if slices.Contains(a.TypeValue[:i], name) {
			s.Errorf("type-value", "contains %q twice; rename one of them", name)
		}
		to.typeValue = append(to.typeValue, string(name))
	}
}

// array compiles an array of objects or of values.
func (c *compiler) array(to *attr, a *attribute, s strict.Section) {
	switch {
	case a.Type == "array-nest" || a.SubType == "nest":
		c.nest(to, a, s)
	case a.SubType == "":
		s.Errorf("sub-type", "is missing; write the type of the entries, such as nest")
	case isContainer(a.SubType):
		s.Errorf("sub-type", "an array cannot have entries of type %s; write nest or a type of values", a.SubType)
	default:
		to.item = c.item(a, s)
	}
}

func isContainer(t typeName) bool {
	return slices.Contains([]typeName{"unused", "pad", "indexed-array", "array-nest", "nest-type-value", "sub-message"}, t)
}

// item compiles the entries of an array, which have the keys of the array.
func (c *compiler) item(a *attribute, s strict.Section) *attr {
	entry := *a
	entry.Type, entry.SubType, entry.Multi = a.SubType, "", false
	return c.newAttr(&entry, s)
}

// subMessage compiles an attribute whose format another attribute selects.
func (c *compiler) subMessage(to *attr, a *attribute, s strict.Section) {
	need(s, "sub-message", a.SubMessage, "write the name of a list of formats")
	need(s, "selector", a.Selector, "write the name of the attribute that selects the format")
	to.formats, _ = find(c, s, "sub-message", a.SubMessage, c.subs, "the sub-message")
	to.selector = string(a.Selector)
}

// declareFormats creates the sub-messages without their formats, which refer to sets.
func (c *compiler) declareFormats() {
	first := make(map[string]strict.Section)
	for i, sub := range c.file.SubMessages {
		c.root.At("sub-messages", i).Unique(first, "name", string(sub.Name), "rename one of them")
		c.subs[string(sub.Name)] = &formatList{}
	}
}

// fillFormats compiles the formats of sub-messages.
func (c *compiler) fillFormats() {
	for i, sub := range c.file.SubMessages {
		first := make(map[string]strict.Section)
		for j, f := range sub.Formats {
			s := c.root.At("sub-messages", i).At("formats", j)
			s.Unique(first, "value", string(f.Value), "remove one of them")
			set, _ := find(c, s, "attribute-set", f.Set, c.sets, "the attribute set")
			(*c.subs[string(sub.Name)])[string(f.Value)] = messageFormat{c.header(s, f.FixedHeader), set}
		}
	}
}

// header returns the struct of a fixed header; nil without one.
func (c *compiler) header(s strict.Section, name word) *structure {
	d, ok := find(c, s, "fixed-header", name, c.structs, "the struct")
	if !ok {
		return nil
	}
	return c.structure(d)
}
