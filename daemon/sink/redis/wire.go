// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// A wire is the connection below the client library, which writes in pieces of 4 KiB and sets
// a deadline for each answer. A wire sends larger pieces, and ignores these deadlines: an
// attempt ends with its context.
type wire struct {
	net.Conn          // may be TLS
	raw      net.Conn // the socket

	out     []byte
	written error // of the first write that failed
}

// maxOut is the size from which collected data is sent.
const maxOut = 64 << 10

// Write collects p until maxOut or the next Read.
func (w *wire) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	if len(w.out) >= maxOut {
		w.flush()
	}
	return len(p), nil
}

func (w *wire) flush() {
	if w.written == nil && len(w.out) > 0 {
		_, w.written = w.Conn.Write(w.out)
	}
	w.out = w.out[:0]
}

// Read sends the collected data and reads. If the data could not be sent, Read first returns
// what the server sent before: it usually contains the reason, such as an alert of TLS.
func (w *wire) Read(p []byte) (int, error) {
	w.flush()
	n, err := w.Conn.Read(p)
	if n == 0 && w.written != nil && stream.Ended(err) {
		err = w.written
	}
	return n, err
}

// SetReadDeadline does nothing.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// bind ends the connection when the context ends, until the returned function is called.
func (w *wire) bind(ctx context.Context) (release func()) { return sink.AfterFunc(ctx, w.abort) }

// abort ends the connection without a TLS close_notify, which could block.
func (w *wire) abort() { w.raw.Close() }

var errUnexpected = errors.New("the server has sent data that was not requested")

// idle returns an error if the server has closed the connection since the last answer: io.EOF
// if in order. It does not wait.
func (w *wire) idle() error {
	socket, err := w.raw.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var peeked error
	if err := socket.Read(func(fd uintptr) bool {
		n, _, peeked = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	}); err != nil {
		return err
	}
	switch {
	case errors.Is(peeked, unix.EAGAIN):
		return nil
	case peeked != nil:
		return peeked
	case n == 0:
		return io.EOF
	}
	return errUnexpected
}
