// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Message is a decoded message. It points into the memory of the message.
type Message struct {
	Command    string // name by the specification, or the number
	Number     uint8  // of the command
	Version    uint8  // of the family
	Group      string // that the specification names for the command; may be empty
	Attributes event.Object
}

// headerSize is the size of struct genlmsghdr.
const headerSize = 4

// maxDepth limits how deep attributes are nested. The kernel's own limit is 10. Readers of
// JSON often have a limit too.
const maxDepth = 32

// A Decoder decodes messages, and reuses its memory for the next message. The zero Decoder
// is ready for use. It is not safe for concurrent use.
type Decoder struct {
	build event.ObjectBuilder
	index index
	depth int
	err   error // the first fault of the message
}

// Decode decodes the payload of a netlink message, which begins with struct genlmsghdr.
// Without a specification all attributes have their numbers as names. An error describes
// the first fault. The Message then contains all parts that could be decoded.
func (d *Decoder) Decode(spec *Spec, payload []byte) (Message, error) {
	if len(payload) < headerSize {
		return Message{}, fmt.Errorf("%d bytes are not a Generic Netlink message; its header has %d", len(payload), headerSize)
	}
	d.build.Reset()
	d.index.reset()
	d.depth, d.err = 0, nil
	m := Message{Number: payload[0], Version: payload[1]}
	body, set := payload[headerSize:], spec.otherSet()
	if c := spec.command(m.Number); c != nil {
		m.Command, m.Group, set = c.name, c.group, c.set
		body = d.header(c.header, body)
	} else {
		m.Command = strconv.Itoa(int(m.Number))
	}
	d.block(set, body)
	d.build.End()
	m.Attributes = d.build.Object()
	return m, d.err
}

func (s *Spec) otherSet() *attrSet {
	if s == nil {
		return nil
	}
	return s.other
}

// header decodes a fixed header, and returns the bytes after it.
func (d *Decoder) header(h *structure, data []byte) []byte {
	if h == nil {
		return data
	}
	if len(data) < h.size {
		d.fault("", "%d bytes are too short for the fixed header, which has %d", len(data), h.size)
	}
	end := min(h.size, len(data))
	d.members(h, data[:end])
	return data[end:]
}

// block decodes attributes into the innermost open object.
func (d *Decoder) block(set *attrSet, data []byte) {
	first, rest := d.index.add(data)
	if len(rest) > 0 {
		d.fault("", "%d bytes after %d bytes are not an attribute", len(rest), len(data)-len(rest))
	}
	for i, end := first, len(d.index.refs); i < end; i++ {
		if !d.index.refs[i].isRepeated {
			d.occurrences(set.attr(d.index.refs[i].number), i)
		}
	}
	d.index.remove(first)
}

// occurrences decodes all occurrences of an attribute in its block. An attribute that is not
// known keeps its bytes, under its number. Padding is not kept.
func (d *Decoder) occurrences(a *attr, i int) {
	first := d.index.refs[i]
	switch {
	case a == nil || a.kind == kindUnused:
		a = &attr{name: strconv.Itoa(int(first.number)), kind: kindBinary}
	case a.kind == kindPad && d.isEmpty(i):
		return
	}
	if !a.multi && first.next == 0 {
		d.value(a, a.name, first.data)
		return
	}
	d.build.BeginList(a.name)
	for ; i != 0; i = d.index.refs[i].next {
		d.value(a, "", d.index.refs[i].data)
	}
	d.build.End()
}

// isEmpty reports whether all occurrences of an attribute are without content.
func (d *Decoder) isEmpty(i int) bool {
	for ; i != 0; i = d.index.refs[i].next {
		if len(d.index.refs[i].data) > 0 {
			return false
		}
	}
	return true
}

// value decodes the payload of an attribute.
func (d *Decoder) value(a *attr, name string, data []byte) {
	switch a.kind {
	case kindScalar:
		d.scalar(a, name, data)
	case kindPad:
		d.build.Bytes(name, data, event.Hex)
	case kindString:
		d.build.Text(name, withoutNUL(data))
	case kindBinary:
		if a.layout != nil {
			d.container(a, name, data)
		} else {
			d.binary(a, name, data)
		}
	case kindFlag:
		d.flag(name, data)
	case kindBitfield:
		d.bitfield(a, name, data)
	default:
		d.container(a, name, data)
	}
}

// container decodes an attribute that contains attributes or members of a struct.
func (d *Decoder) container(a *attr, name string, data []byte) {
	if d.depth == maxDepth {
		d.keep(name, data, "values are nested more than %d times", maxDepth)
		return
	}
	d.depth++
	switch a.kind {
	case kindNest:
		d.build.BeginObject(name)
		d.block(a.nested, data)
		d.build.End()
	case kindBinary:
		d.build.BeginObject(name)
		d.members(a.layout, data)
		d.build.End()
	case kindArray:
		d.array(a, name, data)
	case kindTypeValue:
		d.typeValue(a, name, data)
	case kindSubMessage:
		d.subMessage(a, name, data)
	}
	d.depth--
}

// keep adds the bytes of a value that does not match its type, and notes the fault.
func (d *Decoder) keep(name string, data []byte, format string, args ...any) {
	d.fault(name, format, args...)
	d.build.Bytes(name, data, event.Hex)
}

// fault notes the first fault of the message.
func (d *Decoder) fault(name, format string, args ...any) {
	if d.err != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if path := d.build.Path(name); path != "" {
		text = path + ": " + text
	}
	d.err = errors.New(text)
}

// withoutNUL removes the NULs that end a string.
func withoutNUL(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == 0 {
		data = data[:len(data)-1]
	}
	return data
}

// nextAttribute returns the first attribute of a block, and the rest of the block. It
// returns false if the block does not begin with an attribute.
func nextAttribute(block []byte) (number uint16, data, rest []byte, ok bool) {
	if len(block) < attrHeader {
		return 0, nil, block, false
	}
	size := int(binary.NativeEndian.Uint16(block))
	if size < attrHeader || size > len(block) {
		return 0, nil, block, false
	}
	number = binary.NativeEndian.Uint16(block[2:]) & numberMask
	return number, block[attrHeader:size:size], block[min((size+3)&^3, len(block)):], true
}
