// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/genltestd/genltestd/daemon/event"
)

// scalar decodes a number.
func (d *Decoder) scalar(a *attr, name string, data []byte) {
	if !a.fits(len(data)) {
		d.keep(name, data, "%d bytes are not of type %s", len(data), a.typeName)
		return
	}
	if a.isAddress && len(data) == 4 {
		d.address(a, name, data)
		return
	}
	v := a.number(data)
	switch {
	case a.enum != nil && a.flags:
		d.flags(a.enum, name, v)
	case a.enum != nil && a.enum.name(v) != nil:
		d.build.Text(name, a.enum.name(v))
	case a.signed:
		shift := 64 - 8*len(data)
		d.build.Int(name, int64(v<<shift)>>shift)
	default:
		d.build.Uint(name, v)
	}
}

// fits reports whether a number can have a size in bytes.
func (a *attr) fits(size int) bool {
	if a.size == 0 { // uint or sint
		return size == 4 || size == 8
	}
	return size == a.size
}

// address shows a number of four bytes as an IPv4 address.
func (d *Decoder) address(a *attr, name string, data []byte) {
	if !a.big && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 || a.little {
		data = []byte{data[3], data[2], data[1], data[0]}
	}
	d.build.Bytes(name, data, event.Address)
}

// number reads a number of one, two, four or eight bytes.
func (a *attr) number(data []byte) uint64 {
	var order binary.ByteOrder = binary.NativeEndian
	switch {
	case a.big:
		order = binary.BigEndian
	case a.little:
		order = binary.LittleEndian
	}
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(order.Uint16(data))
	case 4:
		return uint64(order.Uint32(data))
	}
	return order.Uint64(data)
}

// flags adds the names of the bits that are set. The bits without a name follow as one
// number.
func (d *Decoder) flags(e *enum, name string, value uint64) {
	d.build.BeginList(name)
	var nameless uint64
	for rest := value; rest != 0; rest &= rest - 1 {
		bit := bits.TrailingZeros64(rest)
		if flag := e.name(uint64(bit)); flag != nil {
			d.build.Text("", flag)
		} else {
			nameless |= 1 << bit
		}
	}
	if nameless != 0 {
		d.build.Uint("", nameless)
	}
	d.build.End()
}

// flag decodes an attribute that has a meaning by its presence.
func (d *Decoder) flag(name string, data []byte) {
	if len(data) > 0 {
		d.keep(name, data, "%d bytes are not of type flag, which is empty", len(data))
		return
	}
	d.build.Bool(name, true)
}

// bitfield decodes struct nla_bitfield32.
func (d *Decoder) bitfield(a *attr, name string, data []byte) {
	if len(data) != 8 {
		d.keep(name, data, "%d bytes are not of type %s", len(data), a.typeName)
		return
	}
	d.build.BeginObject(name)
	d.scalar(a.item, "value", data[:4])
	d.scalar(a.item, "selector", data[4:])
	d.build.End()
}

// binary decodes bytes, an array of numbers, or a value whose type another attribute names.
func (d *Decoder) binary(a *attr, name string, data []byte) {
	typed := d.typeOf(a)
	switch {
	case typed != nil && typed.kind == kindFlag && len(data) == 1:
		d.build.Bool(name, data[0] != 0) // the kernel can then also send that the flag is not set
	case typed != nil:
		d.value(typed, name, data)
	case a.item != nil && a.item.size > 0 && len(data)%a.item.size == 0:
		d.build.BeginList(name)
		for ; len(data) > 0; data = data[a.item.size:] {
			d.scalar(a.item, "", data[:a.item.size])
		}
		d.build.End()
	case a.item != nil:
		d.keep(name, data, "%d bytes are not an array of type %s", len(data), a.item.typeName)
	default:
		d.build.Bytes(name, data, a.format)
	}
}

// typeOf returns the type of a value that another attribute names; nil if it names a type
// whose values are bytes.
func (d *Decoder) typeOf(a *attr) *attr {
	if a.types == nil {
		return nil
	}
	selector, _ := d.build.Find(a.selector)
	return a.types[string(selector.Bytes())]
}

// members decodes the members of a struct that data contains completely. The kernel of
// another version can have fewer or more members, so the rest is kept under its offset.
func (d *Decoder) members(s *structure, data []byte) {
	rest := data
	for i := range s.members {
		m := &s.members[i]
		if m.length > len(rest) {
			break
		}
		if m.kind != kindPad {
			d.value(&m.attr, m.name, rest[:m.length])
		}
		rest = rest[m.length:]
	}
	if len(rest) > 0 {
		d.build.Bytes(strconv.Itoa(len(data)-len(rest)), rest, event.Hex)
	}
}
