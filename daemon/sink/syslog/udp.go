// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

// udp is the transport that may lose messages. It notices a host that answers that
// nobody listens.
type udp struct {
	address string
	conn    *net.UDPConn
	until   time.Time
}

// resolveEvery is how long a name is taken for the address it had: nothing else
// would tell that it has another.
const resolveEvery = time.Minute

func (u *udp) send(ctx context.Context, m *messages) (int, error) {
	sent, err := u.attempt(ctx, m)
	if err == nil || sink.Poisoned(err) > 0 {
		return sent, err
	}
	return 0, errors.Join(fmt.Errorf("send to %s: %w", u.address, err), u.close())
}

// attempt returns an error when the host has answered that nobody listens: perhaps
// about the batch before, if the answer came late.
func (u *udp) attempt(ctx context.Context, m *messages) (sent int, err error) {
	if err := u.connect(ctx); err != nil {
		return 0, err
	}
	defer stream.Bind(ctx, u.conn)()
	sent, err = write(u.conn, m, 0, m.count())
	if refusal := u.refusal(); refusal != nil {
		return 0, refusal
	}
	return sent, err
}

func (u *udp) connect(ctx context.Context) error {
	if u.conn != nil && time.Now().Before(u.until) {
		return nil
	}
	if err := u.close(); err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", u.address)
	if err != nil {
		return err
	}
	u.conn, u.until = conn.(*net.UDPConn), time.Now().Add(resolveEvery) // what that network is
	return nil
}

// refusal returns the error that the socket has received, if there is one.
func (u *udp) refusal() error {
	raw, err := u.conn.SyscallConn()
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

func (u *udp) close() error {
	conn := u.conn
	if u.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
