// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Multicast is the journal record of an event of any family but genltest. The kernel
// assigns new ids to a family and its groups at each registration, so the record contains their names.
type Multicast struct {
	Family, Group string
	// Message is what the kernel sent, with its headers. It is shorter than its header
	// reports if it did not fit into a receive slot. It has at most 65,531 bytes.
	Message []byte
}

// A multicast record is encoded as a netlink message, like gaps. The kernel uses no type
// between NLMSG_OVERRUN and NLMSG_MIN_TYPE, and the ids of families begin at the latter.
const multicastType = unix.NLMSG_OVERRUN + 1

const (
	multicastFamily = iota + 1
	multicastGroup
	multicastMessage
)

var (
	errNoFamily = errors.New("multicast record: the family is missing")
	errNoData   = errors.New("multicast record: the message is missing")
)

// AppendMulticast appends the encoded record to b. It allocates only if b is too short.
func AppendMulticast(b []byte, m *Multicast) []byte {
	start := len(b)
	b = append(b, make([]byte, nlmsgHeaderLen)...)
	b = appendAttribute(b, multicastFamily, m.Family)
	b = appendAttribute(b, multicastGroup, m.Group)
	b = appendAttribute(b, multicastMessage, m.Message)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	binary.NativeEndian.PutUint16(b[start+4:], multicastType)
	return b
}

// IsMulticast reports whether a journal record is a multicast record.
func IsMulticast(data []byte) bool {
	return len(data) >= nlmsgHeaderLen && binary.NativeEndian.Uint16(data[4:]) == multicastType
}

// DecodeMulticast decodes a record for which IsMulticast returned true. It allocates only
// the names; Message points into data.
func DecodeMulticast(data []byte) (m Multicast, err error) {
	if len(data) < nlmsgHeaderLen {
		return Multicast{}, errShort
	}
	for rest := data[nlmsgHeaderLen:]; len(rest) > 0; {
		var kind uint16
		var value []byte
		if kind, value, rest, err = cutAttribute(rest); err != nil {
			return Multicast{}, err
		}
		switch kind {
		case multicastFamily:
			m.Family = string(value)
		case multicastGroup:
			m.Group = string(value)
		case multicastMessage:
			m.Message = value
		}
	}
	switch {
	case m.Family == "":
		return Multicast{}, errNoFamily
	case m.Message == nil:
		return Multicast{}, errNoData
	}
	return m, nil
}

// cutAttribute returns the first attribute of b, and the bytes after it and its padding.
func cutAttribute(b []byte) (kind uint16, value, rest []byte, err error) {
	if len(b) < attrHeaderLen {
		return 0, nil, nil, errAttribute
	}
	length := int(binary.NativeEndian.Uint16(b))
	if length < attrHeaderLen || length > len(b) {
		return 0, nil, nil, errAttribute
	}
	next := min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b))
	return binary.NativeEndian.Uint16(b[2:]), b[attrHeaderLen:length:length], b[next:], nil
}

// Payload returns the part of a netlink message after its header: the header of generic
// netlink and the attributes. An error describes a message that is cut, or that other bytes
// follow. The payload is nil if the header is not complete.
func Payload(message []byte) ([]byte, error) {
	if len(message) < nlmsgHeaderLen {
		return nil, fmt.Errorf("%d bytes are not a netlink message; its header has %d", len(message), nlmsgHeaderLen)
	}
	size := uint64(binary.NativeEndian.Uint32(message))
	if size == uint64(len(message)) {
		return message[nlmsgHeaderLen:], nil
	}
	end := max(nlmsgHeaderLen, min(size, uint64(len(message))))
	return message[nlmsgHeaderLen:end:end], fmt.Errorf("the header of the message reports %d bytes, but it has %d", size, len(message))
}
