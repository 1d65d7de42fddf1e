// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"math/rand/v2"
	"slices"
)

// A generator makes random messages that match a specification.
type generator struct {
	random *rand.Rand
	depth  int
}

// message returns the payload of a command: its fixed header and attributes.
func (g *generator) message(c *command) []byte {
	var header []byte
	if c.header != nil {
		header = g.layout(c.header)
	}
	return append(header, g.block(c.set)...)
}

// block returns random attributes of a set, except those with x-type-of, and sometimes an unknown attribute.
func (g *generator) block(set *attrSet) (block []byte) {
	if g.depth > 5 {
		return nil
	}
	g.depth++
	defer func() { g.depth-- }()
	var numbers []uint16
	for number := range uint16(numberMask) {
		if a := set.attr(number); a != nil && a.kind != kindUnused && a.kind != kindPad && a.types == nil {
			numbers = append(numbers, number)
		}
	}
	g.random.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	for _, number := range numbers[:min(len(numbers), g.random.IntN(8))] {
		a := set.attr(number)
		block = append(block, nla(number, g.value(a))...)
		for a.multi && g.random.IntN(2) == 0 {
			block = append(block, nla(number, g.value(a))...)
		}
	}
	if g.random.IntN(10) == 0 {
		block = append(block, nla(numberMask-1, g.bytes(g.random.IntN(9)))...)
	}
	return block
}

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.random.Uint32())
	}
	return b
}

// value returns a random value of the type of an attribute.
func (g *generator) value(a *attr) []byte {
	switch a.kind {
	case kindFlag:
		return nil
	case kindString:
		return str([]string{"", "eth0", "a b"}[g.random.IntN(3)])
	case kindScalar:
		return g.number(a)
	case kindBitfield:
		return append(g.number(a.item), g.number(a.item)...)
	case kindNest:
		return g.block(a.nested)
	case kindTypeValue:
		inner := g.block(a.nested)
		for range a.typeValue {
			inner = nla(uint16(g.random.IntN(numberMask)), inner)
		}
		return inner
	case kindArray:
		return g.array(a)
	case kindBinary:
		return g.binary(a)
	}
	return nil
}

func (g *generator) array(a *attr) (list []byte) {
	for range g.random.IntN(3) {
		entry := g.block
		if a.item != nil {
			entry = func(*attrSet) []byte { return g.value(a.item) }
		}
		list = append(list, nla(uint16(g.random.IntN(20)), entry(a.nested))...)
	}
	return list
}

func (g *generator) binary(a *attr) (data []byte) {
	switch {
	case a.layout != nil:
		return g.layout(a.layout)
	case a.item != nil:
		for range g.random.IntN(4) {
			data = append(data, g.number(a.item)...)
		}
		return data
	case a.isAddress:
		return g.bytes([]int{4, 16}[g.random.IntN(2)])
	case a.format != 0:
		return g.bytes(16)
	}
	return g.bytes(g.random.IntN(20))
}

// number returns a number that is small, of an enum or random.
func (g *generator) number(a *attr) []byte {
	size := a.size
	if size == 0 {
		size = []int{4, 8}[g.random.IntN(2)]
	}
	if g.random.IntN(2) == 0 {
		return g.bytes(size)
	}
	small := make([]byte, size)
	at := 0
	if a.big {
		at = size - 1
	}
	small[at] = byte(g.random.IntN(8))
	return small
}

func (g *generator) layout(s *structure) (data []byte) {
	for i := range s.members {
		m := &s.members[i]
		switch {
		case m.kind == kindScalar:
			data = append(data, g.number(&m.attr)...)
		case m.layout != nil:
			data = append(data, g.layout(m.layout)...)
		case m.kind == kindString:
			data = append(data, slices.Concat([]byte("x"), make([]byte, m.length-1))...)
		default:
			data = append(data, g.bytes(m.length)...)
		}
	}
	return data
}
