// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// write sends one datagram per message, from the message first up to, but without, the
// message last. It returns how many the kernel has accepted. A message that is too long
// for the transport is refused permanently.
func write(conn net.Conn, m *messages, first, last int) (sent int, err error) {
	for i := first; i < last; i++ {
		if _, err := conn.Write(m.at(i)); err != nil {
			if errors.Is(err, unix.EMSGSIZE) {
				err = sink.Permanent(sink.Refusal{Kind: sink.RefusedTooLarge}.Mark(fmt.Errorf("%d bytes: %w", len(m.at(i)), err)))
			}
			return i - first, err
		}
	}
	return last - first, nil
}

// unixgram is the transport to a local datagram socket, such as /dev/log. A full queue
// of the receiver blocks the sender, so nothing is lost on the way.
type unixgram struct {
	path   string
	conn   *net.UnixConn
	raw    syscall.RawConn
	socket os.FileInfo // of the path when it was connected to
}

// confirmEvery is the number of messages that are sent before the receiver must have read
// them. A larger number does not help: it is about the length of the receiver's queue.
const confirmEvery = 64

func (u *unixgram) send(ctx context.Context, m *messages) (taken int, err error) {
	if err := u.connect(ctx); err != nil {
		return 0, err
	}
	defer stream.Bind(ctx, u.conn)()
	for taken < m.count() {
		n, err := u.attempt(ctx, m, taken)
		taken += n
		if sink.Poisoned(err) > 0 {
			return taken, err
		}
		if err != nil {
			return taken, errors.Join(fmt.Errorf("send to %s: %w", u.path, err), u.close())
		}
	}
	return taken, nil
}

// attempt sends some messages, from the message first on, and waits until they were read.
func (u *unixgram) attempt(ctx context.Context, m *messages, first int) (int, error) {
	sent, err := write(u.conn, m, first, min(first+confirmEvery, m.count()))
	if err != nil && sink.Poisoned(err) == 0 {
		return 0, err
	}
	if awaitErr := stream.AwaitEmpty(ctx, u.raw, u.alive); awaitErr != nil {
		return 0, awaitErr
	}
	return sent, err
}

// connect opens a connection unless it is connected to the socket that is at the path now.
func (u *unixgram) connect(ctx context.Context) (err error) {
	if u.conn != nil && u.alive() == nil {
		return nil
	}
	if err := u.close(); err != nil {
		return err
	}
	// First, so that a socket that is replaced meanwhile is noticed.
	if u.socket, err = os.Stat(u.path); err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unixgram", u.path)
	if err != nil {
		return err
	}
	u.conn = conn.(*net.UnixConn) // the type for this network
	u.raw, err = u.conn.SyscallConn()
	return err
}

// alive returns an error if the receiver has closed its socket. The kernel does not report
// that to a sender, and drops unread messages, which then seem to be read. But connecting
// to a closed socket fails, and a socket that replaces it is another file.
func (u *unixgram) alive() error {
	now, err := os.Stat(u.path)
	if err != nil {
		return err
	}
	if !os.SameFile(u.socket, now) || !u.socket.ModTime().Equal(now.ModTime()) {
		return errors.New("another receiver has replaced the socket")
	}
	probe, err := net.Dial("unixgram", u.path)
	if err != nil {
		return err
	}
	return probe.Close()
}

func (u *unixgram) close() error {
	conn := u.conn
	if u.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
