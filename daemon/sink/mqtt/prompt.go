// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A promptConn acknowledges received segments at once. A broker that does not set TCP_NODELAY, such as
// mosquitto by default, holds back its next PUBACK until the kernel has acknowledged the one before.
// At the end of each batch, that would take 40 ms.
type promptConn struct {
	net.Conn
	raw syscall.RawConn
}

func newPromptConn(conn net.Conn) (net.Conn, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return conn, nil
	}
	raw, err := socket.SyscallConn()
	return &promptConn{conn, raw}, err
}

// Read implements net.Conn. The kernel leaves this mode by itself, so each Read enters it again.
func (c *promptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	_ = c.raw.Control(func(fd uintptr) { // without it, the connection is only slower
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
	return n, err
}
