// SPDX-License-Identifier: Apache-2.0

// Package kernelmsg encodes messages as the kernel sends them: events of the module, and
// notifications of nlctrl. Only tests and benchmarks use it.
package kernelmsg

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Family is the id of the family in the message of Event.
const Family = 34

// The command and the version of an event, and its attributes, as in kmod/genltest.h.
const (
	Command = 1
	Version = 1

	attrText   = 1
	attrSeq    = 3
	attrTime   = 4
	attrLoadID = 5
)

// Event returns an event of Family with that text, and without a number.
func Event(text string) []byte { return EventOf(Family, Text(text)) }

// EventOf returns an event of a family with these attributes.
func EventOf(family uint16, attrs ...[]byte) []byte {
	return Message(family, Command, Version, attrs...)
}

// Text returns the attribute of an event's text.
func Text(s string) []byte { return Attr(attrText, append([]byte(s), 0)) }

// Seq returns the attribute of an event's number since the module was loaded.
func Seq(n uint64) []byte { return wide(attrSeq, n) }

// Time returns the attribute of an event's time, in nanoseconds since 1970.
func Time(ns uint64) []byte { return wide(attrTime, ns) }

// LoadID returns the attribute that identifies the load of the module.
func LoadID(id uint64) []byte { return wide(attrLoadID, id) }

func wide(kind uint16, n uint64) []byte {
	return Attr(kind, binary.NativeEndian.AppendUint64(nil, n))
}

// Message returns a message: the headers of netlink and of generic netlink, and attributes.
func Message(family uint16, command, version uint8, attrs ...[]byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+unix.GENL_HDRLEN, 64)
	binary.NativeEndian.PutUint16(b[4:], family)
	b[unix.NLMSG_HDRLEN], b[unix.NLMSG_HDRLEN+1] = command, version
	for _, a := range attrs {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Attr returns an attribute with its padding.
func Attr(kind uint16, value []byte) []byte { return AppendAttr(nil, kind, value) }

// AppendAttr appends an attribute with its padding to b. The length of b must be aligned.
func AppendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// Notification returns a notification of nlctrl about a family: command is one of
// unix.CTRL_CMD_*, and groups are the numbers of its multicast groups by name.
func Notification(command uint8, name string, id uint16, groups map[string]uint32) []byte {
	attrs := AppendAttr(nil, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0))
	attrs = AppendAttr(attrs, unix.CTRL_ATTR_FAMILY_ID, binary.NativeEndian.AppendUint16(nil, id))
	var list []byte
	for group, number := range groups {
		g := AppendAttr(nil, unix.CTRL_ATTR_MCAST_GRP_NAME, append([]byte(group), 0))
		g = AppendAttr(g, unix.CTRL_ATTR_MCAST_GRP_ID, binary.NativeEndian.AppendUint32(nil, number))
		list = AppendAttr(list, uint16(len(list)+1)|unix.NLA_F_NESTED, g)
	}
	if list != nil {
		attrs = AppendAttr(attrs, unix.CTRL_ATTR_MCAST_GROUPS|unix.NLA_F_NESTED, list)
	}
	return Message(unix.GENL_ID_CTRL, command, 2, attrs)
}
