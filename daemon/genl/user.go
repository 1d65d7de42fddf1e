// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenUserSocket opens an event socket over NETLINK_USERSOCK that is a member of
// group. A process may multicast there: tests and benchmarks have the receive
// path, the buffer and the losses of the real thing on a kernel without the
// module.
func OpenUserSocket(group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	return openSocket(unix.NETLINK_USERSOCK, group, bufferBytes, batch)
}

// AdoptUserSocket is AdoptEventSocket for a socket of OpenUserSocket.
func AdoptUserSocket(f *os.File, group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	return adoptSocket(f, unix.NETLINK_USERSOCK, group, bufferBytes, batch)
}
