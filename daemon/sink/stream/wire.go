// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A wire is a socket that counts what is written to it, and can be read without
// waiting.
type wire struct {
	net.Conn
	raw       syscall.RawConn
	written   int64
	impatient bool // Read returns os.ErrDeadlineExceeded when there is nothing
}

func newWire(conn net.Conn) (*wire, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is no socket", conn)
	}
	raw, err := socket.SyscallConn()
	return &wire{Conn: conn, raw: raw}, err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written += int64(n)
	return n, err
}

func (w *wire) Read(p []byte) (n int, err error) {
	if !w.impatient {
		return w.Conn.Read(p)
	}
	controlErr := w.raw.Control(func(fd uintptr) {
		n, _, err = unix.Recvfrom(int(fd), p, unix.MSG_DONTWAIT)
	})
	switch {
	case controlErr != nil:
		return 0, controlErr
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, os.ErrDeadlineExceeded // which TLS takes as it would a deadline: it goes on later
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: w.RemoteAddr().Network(), Addr: w.RemoteAddr(), Err: os.NewSyscallError("recv", err)}
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// awaitReadable returns when there is something to read, or the read deadline has
// passed.
func (w *wire) awaitReadable() error {
	return w.raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_DONTWAIT|unix.MSG_PEEK)
		return !errors.Is(err, unix.EAGAIN)
	})
}
