// SPDX-License-Identifier: Apache-2.0

package kernelmsg

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Attributes returns the attributes of each generic netlink message in a recording, which is
// a sequence of messages. It ends at data that is not a message.
func Attributes(recording []byte) (list [][]byte) {
	const headers = unix.NLMSG_HDRLEN + unix.GENL_HDRLEN
	for len(recording) >= headers {
		length := int(binary.NativeEndian.Uint32(recording))
		if length < headers || length > len(recording) {
			break
		}
		list = append(list, recording[headers:length])
		recording = recording[length:]
	}
	return list
}
