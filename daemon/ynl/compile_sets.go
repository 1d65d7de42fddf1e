// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
)

// A setDefinition is an attribute set that is compiled when it is needed first: a sub-set
// needs its full set.
type setDefinition struct {
	*attrSet
	set     *attributeSet
	section strict.Section
	byName  map[string]numberedAttribute
	isCopy  bool // not the attributes of the full set any more
	isOpen  bool // being compiled
	isDone  bool
}

type numberedAttribute struct {
	attribute
	number uint16
}

// declareSets creates the attribute sets without their attributes, which refer to them.
func (c *compiler) declareSets() {
	first := make(map[string]strict.Section)
	for i := range c.file.AttributeSets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		s.Unique(first, "name", string(set.Name), "rename one of them")
		c.sets[string(set.Name)] = &attrSet{name: string(set.Name), far: make(map[uint16]*attr), names: make(map[string]bool)}
		d := &setDefinition{
			attrSet: c.sets[string(set.Name)], set: set, section: s, byName: make(map[string]numberedAttribute),
		}
		c.definedSets, c.setsByName[string(set.Name)] = append(c.definedSets, d), d
	}
}

// fillSets compiles the attributes.
func (c *compiler) fillSets() {
	for _, d := range c.definedSets {
		c.fill(d)
	}
	for _, d := range c.definedSets {
		c.checkNames(d)
	}
}

func (c *compiler) fill(d *setDefinition) {
	switch {
	case d.isDone:
	case d.isOpen:
		d.section.Errorf("subset-of", "the sets are sub-sets of each other; write the name of a set with types")
	case d.set.SubsetOf == "":
		c.fillFull(d)
		d.pack()
	default:
		d.isOpen = true
		c.fillSubset(d)
	}
	d.isDone = true
}

// maxNumber is the largest number of an attribute: 14 bits.
const maxNumber = numberMask

// fillFull numbers the attributes of a set: from 1 on, and from the value of an attribute
// on.
func (c *compiler) fillFull(d *setDefinition) {
	next := uint64(1)
	first := make(map[string]strict.Section)
	for i := range d.set.Attributes {
		a, s := &d.set.Attributes[i], d.section.At("attributes", i)
		number := a.Value.or(next)
		next = number + 1
		if a.Type == "" {
			s.Errorf("type", "is missing; write the type of the attribute, such as u32")
			continue
		}
		if a.Type != "unused" && a.Type != "pad" {
			s.Unique(first, "name", string(a.Name), "rename one of them")
			d.names[string(a.Name)] = true
		}
		before := d.far[uint16(number)]
		switch {
		case number > maxNumber:
			s.Errorf("value", "attribute %d does not exist; the largest number is %d", number, maxNumber)
		case before == nil || before.kind == kindUnused:
			d.far[uint16(number)] = c.newAttr(a, s)
			d.byName[string(a.Name)] = numberedAttribute{*a, uint16(number)}
		case a.Type != "unused":
			s.Errorf("name", "has the number %d of %q; write its own number as value", number, before.name)
		}
	}
}

// maxCopied limits the attributes that sub-sets copy. A hostile file could have thousands of
// sub-sets of a set with thousands of attributes.
const maxCopied = 100000

// fillSubset uses the full set, because a message can contain its other attributes too. Keys
// of the sub-set replace those of the full set.
func (c *compiler) fillSubset(d *setDefinition) {
	full, ok := find(c, d.section, "subset-of", d.set.SubsetOf, c.setsByName, "the attribute set")
	if !ok {
		return
	}
	c.fill(full)
	d.dense, d.far, d.names, d.byName = full.dense, full.far, full.names, full.byName
	for i := range d.set.Attributes {
		a, s := &d.set.Attributes[i], d.section.At("attributes", i)
		whole, ok := find(c, s, "name", a.Name, full.byName, "the attribute")
		if ok && whole.replace(a) && c.copyFrom(full, d) {
			d.replace(whole.number, c.newAttr(&whole.attribute, s))
			d.byName[string(a.Name)] = whole
		}
	}
}

// copyFrom copies the full set to a sub-set at its first change. It returns false beyond the
// limit.
func (c *compiler) copyFrom(full, d *setDefinition) bool {
	if d.isCopy {
		return true
	}
	if c.copied += len(full.byName); c.copied > maxCopied {
		d.section.Errorf("attributes", "sub-sets copy more than %d attributes; remove keys that the full set has", maxCopied)
		return false
	}
	d.isCopy = true
	d.dense, d.far, d.byName = slices.Clone(full.dense), maps.Clone(full.far), maps.Clone(full.byName)
	return true
}

func (s *attrSet) replace(number uint16, by *attr) {
	if int(number) < len(s.dense) {
		s.dense[number] = by
	} else {
		s.far[number] = by
	}
}

// replace replaces the keys that an attribute of a sub-set has, and reports whether it has
// any.
func (n *numberedAttribute) replace(by *attribute) bool {
	before := n.attribute
	n.Type, n.SubType = cmp.Or(by.Type, n.Type), cmp.Or(by.SubType, n.SubType)
	n.Order, n.Hint = cmp.Or(by.Order, n.Order), cmp.Or(by.Hint, n.Hint)
	n.Nested, n.Struct = cmp.Or(by.Nested, n.Nested), cmp.Or(by.Struct, n.Struct)
	n.SubMessage, n.Selector = cmp.Or(by.SubMessage, n.SubMessage), cmp.Or(by.Selector, n.Selector)
	n.Enum, n.Flags, n.Multi = cmp.Or(by.Enum, n.Enum), n.Flags || by.Flags, n.Multi || by.Multi
	if len(by.TypeValue) > 0 {
		n.TypeValue = by.TypeValue
	}
	return !reflect.DeepEqual(before, n.attribute)
}

// pack moves the attributes with small numbers from the map to the table.
func (s *attrSet) pack() {
	for size := 2*len(s.far) + maxDense; len(s.far) > 0 && len(s.dense) < size; {
		number := uint16(len(s.dense))
		s.dense = append(s.dense, s.far[number])
		delete(s.far, number)
	}
}

// checkNames reports attributes whose object would contain a name twice.
func (c *compiler) checkNames(d *setDefinition) {
	for i := range d.set.Attributes {
		s, nested := d.section.At("attributes", i), c.sets[string(d.set.Attributes[i].Nested)]
		if nested == nil {
			continue
		}
		for _, name := range d.set.Attributes[i].TypeValue {
			if nested.names[string(name)] {
				s.Errorf("type-value", "%q is also an attribute of %q; rename it", name, nested.name)
			}
		}
	}
}

// newAttr compiles the type of an attribute.
func (c *compiler) newAttr(a *attribute, s strict.Section) *attr {
	to := &attr{
		name: string(a.Name), typeName: string(a.Type), multi: bool(a.Multi),
		big: a.Order == "big-endian", little: a.Order == "little-endian",
	}
	to.format, to.isAddress = formatOf(a.Hint)
	if a.Enum != "" {
		if e, ok := find(c, s, "enum", a.Enum, c.enums, "the enum"); ok {
			to.enum, to.flags = e, e.isFlags || bool(a.Flags)
		}
	}
	c.setKind(to, a, s)
	return to
}

// setKind sets the kind of an attribute, and the fields that belong to it.
func (c *compiler) setKind(to *attr, a *attribute, s strict.Section) {
	switch a.Type {
	case "unused":
		to.kind = kindUnused
	case "pad":
		to.kind = kindPad
	case "flag":
		to.kind = kindFlag
	case "string":
		to.kind = kindString
	case "bitfield32":
		to.kind = kindBitfield
		part := *a
		part.SubType = "u32"
		to.item = c.item(&part, s)
	case "binary":
		to.kind = kindBinary
		c.binary(to, a, s)
	case "nest", "nest-type-value":
		to.kind = kindNest
		c.nest(to, a, s)
	case "indexed-array", "array-nest":
		to.kind = kindArray
		c.array(to, a, s)
	case "sub-message":
		to.kind = kindSubMessage
		c.subMessage(to, a, s)
	default:
		to.kind = kindScalar
		to.size, to.signed = sizeOf(string(a.Type)), strings.HasPrefix(string(a.Type), "s")
	}
}

// sizeOf returns the size of a number in bytes; 0 for uint and sint.
func sizeOf(name string) int {
	switch strings.TrimLeft(name, "us") {
	case "8":
		return 1
	case "16":
		return 2
	case "32":
		return 4
	case "64":
		return 8
	}
	return 0
}
