// SPDX-License-Identifier: Apache-2.0

// Package kernelmsg encodes messages as the kernel module sends them. Only tests use it.
package kernelmsg

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Family is the number of the family in the messages.
const Family = 34

// Event returns the message of an event with that text: the headers of netlink and of
// generic netlink, and the text as a NUL-terminated attribute.
func Event(text string) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+unix.GENL_HDRLEN, 64)
	binary.NativeEndian.PutUint16(b[4:], Family)
	b[unix.NLMSG_HDRLEN], b[unix.NLMSG_HDRLEN+1] = 1, 1 // command and version
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(text)+1))
	b = binary.NativeEndian.AppendUint16(b, 1)
	b = append(append(b, text...), 0)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}
