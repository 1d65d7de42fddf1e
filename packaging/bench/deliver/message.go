// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

// The constants of kmod/genltest.h.
const (
	command     = 1
	version     = 1
	attrMessage = 1
	attrSeq     = 3
	attrTime    = 4
	attrLoadID  = 5
)

const (
	family = 28 // any id; it is not resolved
	loadID = 0x6a9155caa46c7dcc
)

// message returns the module's message for a text of that many bytes.
func message(textBytes int, seq, ns uint64) []byte {
	ne := binary.NativeEndian
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+textBytes+64)
	ne.PutUint16(b[4:], family)
	b = append(b, command, version, 0, 0)
	b = kernelmsg.AppendAttr(b, attrMessage, append(bytes.Repeat([]byte{'x'}, textBytes), 0))
	for _, n := range []struct {
		kind  uint16
		value uint64
	}{{attrSeq, seq}, {attrTime, ns}, {attrLoadID, loadID}} {
		b = kernelmsg.AppendAttr(b, n.kind, ne.AppendUint64(nil, n.value))
	}
	ne.PutUint32(b, uint32(len(b)))
	return b
}
