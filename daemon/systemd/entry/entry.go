// SPDX-License-Identifier: Apache-2.0

// Package entry writes entries of the systemd journal by journald's native protocol.
//
// It is used instead of go-systemd's journal.Send, which has one socket for the whole
// process, to a fixed path. That socket is not connected, so a sender that waits for room in
// journald's queue may never be woken. journal.Send also lacks a context.
package entry

import (
	"bytes"
	"encoding/binary"
)

// Socket is the socket on which journald accepts entries.
const Socket = "/run/systemd/journal/socket"

// AppendField writes NAME=VALUE and a newline. A value with newlines is preceded by its
// length, in 64 bits, little-endian, so no value can add a field. All other bytes are written
// unchanged.
func AppendField[T string | []byte](dst []byte, name T, value []byte) []byte {
	dst = append(dst, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		dst = append(dst, '=')
	} else {
		dst = append(dst, '\n')
		dst = binary.LittleEndian.AppendUint64(dst, uint64(len(value)))
	}
	dst = append(dst, value...)
	return append(dst, '\n')
}
