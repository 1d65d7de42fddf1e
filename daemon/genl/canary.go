// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A canary is an event of genltest that measures latencies and that no sink receives. Its
// record is the message of the kernel with a type of its own: see multicastType.
const canaryType = multicastType + 1

var _ [unix.NLMSG_MIN_TYPE - 1 - canaryType]struct{} // does not compile if the kernel uses the type

// AppendCanary appends the record of an event that is a canary to b.
func AppendCanary(b, message []byte) []byte {
	start := len(b)
	b = append(b, message...)
	binary.NativeEndian.PutUint16(b[start+4:], canaryType)
	return b
}

// IsCanary reports whether a journal record is a canary. Decode decodes it.
func IsCanary(data []byte) bool {
	return len(data) >= nlmsgHeaderLen && binary.NativeEndian.Uint16(data[4:]) == canaryType
}
