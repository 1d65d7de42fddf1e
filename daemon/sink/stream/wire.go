// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A wire is a socket that counts the bytes written to it. In queueing mode it never
// blocks: Write keeps data that the socket does not accept at once, for flush, and Read
// returns os.ErrDeadlineExceeded if no data is available. So one goroutine can write and
// watch the peer, also through TLS, whose Read must not be called within its Write.
type wire struct {
	net.Conn
	raw      syscall.RawConn
	local    bool // a unix socket
	queueing bool
	pending  []byte // written, not yet in the send buffer
	sent     int64  // bytes that the send buffer has accepted
	broken   error  // the kernel returns it only once
}

func newWire(conn net.Conn) (*wire, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is not a socket", conn)
	}
	raw, err := socket.SyscallConn()
	return &wire{Conn: conn, raw: raw, local: conn.RemoteAddr().Network() == "unix"}, err
}

// queue enables queueing mode, and returns a function that restores the previous mode.
func (w *wire) queue() (restore func()) {
	before := w.queueing
	w.queueing = true
	return func() { w.queueing = before }
}

func (w *wire) Write(p []byte) (int, error) {
	if !w.queueing {
		n, err := w.Conn.Write(p)
		w.sent += int64(n)
		return n, err
	}
	rest, err := p, error(nil)
	if len(w.pending) == 0 {
		rest, err = w.push(p)
	}
	w.pending = append(w.pending, rest...)
	return len(p), err
}

// flush moves as much pending data into the send buffer as it accepts.
func (w *wire) flush() error {
	rest, err := w.push(w.pending)
	w.pending = w.pending[:copy(w.pending, rest)]
	return err
}

// push returns the part of p that the send buffer does not accept now.
func (w *wire) push(p []byte) (rest []byte, err error) {
	for len(p) > 0 {
		n, err := w.send(p)
		p, w.sent = p[n:], w.sent+int64(n)
		if errors.Is(err, unix.EAGAIN) {
			return p, nil
		}
		if err != nil {
			return p, w.failed("write", err)
		}
	}
	return nil, nil
}

func (w *wire) send(p []byte) (n int, err error) {
	controlErr := w.raw.Control(func(fd uintptr) {
		n, err = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return max(n, 0), errors.Join(controlErr, err)
}

func (w *wire) Read(p []byte) (n int, err error) {
	if !w.queueing {
		return w.Conn.Read(p)
	}
	controlErr := w.raw.Control(func(fd uintptr) {
		n, _, err = unix.Recvfrom(int(fd), p, unix.MSG_DONTWAIT)
	})
	switch {
	case controlErr != nil:
		return 0, controlErr
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, os.ErrDeadlineExceeded // TLS continues after it, as after a deadline
	case err != nil:
		return 0, w.failed("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// failed keeps an error of the socket. The kernel reports a reset after the peer's end of
// file as EPIPE; failed returns it as a reset.
func (w *wire) failed(op string, err error) error {
	if errors.Is(err, unix.EPIPE) && !w.local {
		err = unix.ECONNRESET
	}
	if w.broken == nil {
		w.broken = &net.OpError{Op: op, Net: w.RemoteAddr().Network(), Addr: w.RemoteAddr(), Err: err}
	}
	return w.broken
}

// unsent returns the length of the send queue and of the pending data: for a TCP socket
// the unacknowledged bytes, for a unix socket the memory of unread data.
func (w *wire) unsent() (int, error) {
	n, err := Queued(w.raw)
	return n + len(w.pending), err
}

// end returns the error of a broken connection, io.EOF if the peer has closed its sending
// side, and otherwise nil. It does not read, because an end of file that was read hides
// every later error from the reader.
func (w *wire) end() error {
	if w.broken != nil {
		return w.broken
	}
	events, err := w.poll(unix.POLLRDHUP, 0)
	switch {
	case err != nil:
		return err
	case events&unix.POLLERR != 0, events&unix.POLLHUP != 0 && !w.local:
		return w.failed("read", w.reason())
	case events&(unix.POLLRDHUP|unix.POLLHUP) != 0:
		return io.EOF
	}
	return nil
}

// reason returns the pending error of a socket. Without one, an earlier call has returned it,
// and reason returns ECONNRESET.
func (w *wire) reason() error {
	var number int
	controlErr := w.raw.Control(func(fd uintptr) {
		number, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	})
	if controlErr != nil {
		return controlErr
	}
	if number == 0 {
		return unix.ECONNRESET
	}
	return unix.Errno(number)
}

// poll waits for one of events, for the end of the connection, or for at most d.
func (w *wire) poll(events int16, d time.Duration) (happened int16, err error) {
	controlErr := w.raw.Control(func(fd uintptr) {
		state := []unix.PollFd{{Fd: int32(fd), Events: events}}
		timeout := unix.NsecToTimespec(int64(d))
		_, err = unix.Ppoll(state, &timeout, nil)
		happened = state[0].Revents
	})
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return happened, errors.Join(controlErr, os.NewSyscallError("ppoll", err))
}
