// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketError returns and clears the error that a socket has received, such as the answer of a
// host that no program receives at a UDP port. Otherwise it returns nil.
func SocketError(socket syscall.Conn) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var number int
	controlErr := raw.Control(func(fd uintptr) {
		number, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	})
	if err = errors.Join(controlErr, err); err == nil && number != 0 {
		err = os.NewSyscallError("recv", unix.Errno(number))
	}
	return err
}
