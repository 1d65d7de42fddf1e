// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"strings"

	"github.com/genltestd/genltestd/config/strict"
)

// declareSets creates the attribute sets without their attributes, which refer to them. A
// sub-set is its full set.
func (c *compiler) declareSets() {
	first := make(map[string]strict.Section)
	subsets := make(map[string]int)
	for i := range c.file.AttributeSets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		s.Unique(first, "name", string(set.Name), "rename one of them")
		if set.SubsetOf == "" {
			c.sets[string(set.Name)] = &attrSet{name: string(set.Name)}
		} else {
			subsets[string(set.Name)] = i
		}
	}
	for len(subsets) > 0 && c.declareSubsets(subsets) {
	}
	for _, i := range subsets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		if _, isSubset := subsets[string(set.SubsetOf)]; isSubset {
			s.Errorf("subset-of", "the sets are sub-sets of each other; write the name of a set with types")
			continue
		}
		find(s, "subset-of", set.SubsetOf, c.sets, "the attribute set")
	}
}

// declareSubsets declares the sub-sets whose full set is declared, and reports whether it
// found one.
func (c *compiler) declareSubsets(subsets map[string]int) (found bool) {
	for name, i := range subsets {
		if full := c.sets[string(c.file.AttributeSets[i].SubsetOf)]; full != nil {
			c.sets[name] = full
			delete(subsets, name)
			found = true
		}
	}
	return found
}

// maxNumber is the largest number of an attribute: 14 bits.
const maxNumber = numberMask

// fillSets compiles the attributes.
func (c *compiler) fillSets() {
	for i := range c.file.AttributeSets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		if set.SubsetOf == "" {
			c.fill(c.sets[string(set.Name)], set, s)
		}
	}
	for i := range c.file.AttributeSets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		if full := c.sets[string(set.SubsetOf)]; full != nil {
			checkSubset(full, set, s)
		}
	}
	for i := range c.file.AttributeSets {
		set, s := &c.file.AttributeSets[i], c.root.At("attribute-sets", i)
		if set.SubsetOf == "" {
			c.checkNames(c.sets[string(set.Name)], set, s)
		}
	}
}

// fill numbers the attributes of a set: from 1 on, and from the value of an attribute on.
func (c *compiler) fill(to *attrSet, set *attributeSet, s strict.Section) {
	to.far = make(map[uint16]*attr)
	next := uint64(1)
	first := make(map[string]strict.Section)
	for i := range set.Attributes {
		a, s := &set.Attributes[i], s.At("attributes", i)
		number := a.Value.or(next)
		next = number + 1
		if a.Type == "" {
			s.Errorf("type", "is missing; write the type of the attribute, such as u32")
			continue
		}
		if a.Type != "unused" && a.Type != "pad" {
			s.Unique(first, "name", string(a.Name), "rename one of them")
		}
		switch {
		case number > maxNumber:
			s.Errorf("value", "attribute %d does not exist; the largest number is %d", number, maxNumber)
		case to.far[uint16(number)] == nil || to.far[uint16(number)].kind == kindUnused:
			to.far[uint16(number)] = c.newAttr(a, s)
		case a.Type != "unused":
			s.Errorf("name", "has the number %d of %q; write its own number as value", number, to.far[uint16(number)].name)
		}
	}
	to.pack()
}

// pack moves the attributes with small numbers from the map to the table.
func (s *attrSet) pack() {
	for size := 2*len(s.far) + maxDense; len(s.far) > 0 && len(s.dense) < size; {
		number := uint16(len(s.dense))
		s.dense = append(s.dense, s.far[number])
		delete(s.far, number)
	}
}

// all calls do for each attribute.
func (s *attrSet) all(do func(a *attr)) {
	for _, a := range s.dense {
		if a != nil {
			do(a)
		}
	}
	for _, a := range s.far {
		do(a)
	}
}

// has reports whether the set has an attribute of a name.
func (s *attrSet) has(name string) (found bool) {
	s.all(func(a *attr) { found = found || a.name == name && a.kind != kindUnused && a.kind != kindPad })
	return found
}

// checkSubset reports attributes that the full set does not have.
func checkSubset(full *attrSet, set *attributeSet, s strict.Section) {
	names := make(map[string]bool)
	full.all(func(a *attr) { names[a.name] = true })
	for i, a := range set.Attributes {
		find(s.At("attributes", i), "name", a.Name, names, "the attribute")
	}
}

// checkNames reports attributes whose object would contain a name twice.
func (c *compiler) checkNames(to *attrSet, set *attributeSet, s strict.Section) {
	for i := range set.Attributes {
		s, nested := s.At("attributes", i), c.sets[string(set.Attributes[i].Nested)]
		if nested == nil {
			continue
		}
		for _, name := range set.Attributes[i].TypeValue {
			if nested.has(string(name)) {
				s.Errorf("type-value", "%q is also an attribute of %q; rename it", name, nested.name)
			}
		}
	}
	to.all(func(a *attr) { a.numbered = a.nested != nil && !a.nested.has(indexName) })
}

// newAttr compiles the type of an attribute.
func (c *compiler) newAttr(a *attribute, s strict.Section) *attr {
	to := &attr{
		name: string(a.Name), typeName: string(a.Type), multi: bool(a.Multi),
		big: a.Order == "big-endian", little: a.Order == "little-endian",
	}
	to.format, to.isAddress = formatOf(a.Hint)
	if a.Enum != "" {
		if e, ok := find(s, "enum", a.Enum, c.enums, "the enum"); ok {
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
