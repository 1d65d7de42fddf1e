// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
)

// The pause between two checks of a send queue doubles. So the wait is at most about twice
// the time that the peer needs, but at least the millisecond that an idle Go process
// sleeps. The kernel does not report an empty queue, except by a time stamp of each
// acknowledgement, which unix sockets lack.
const (
	firstPause   = 50 * time.Microsecond
	longestPause = 10 * time.Millisecond
)

// AwaitEmpty waits until a socket's send queue is empty and alive returns nil, or the
// context ends. The queue of a TCP socket empties as the peer's kernel acknowledges data,
// that of a unix socket as its process reads.
func AwaitEmpty(ctx context.Context, socket syscall.RawConn, alive func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		queue, err := Queued(socket)
		if err != nil {
			return err
		}
		// The order matters: a unix socket that is closed with unread bytes resets the
		// connection before the bytes leave the queue.
		if err := alive(); err != nil || queue == 0 {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%d bytes are not acknowledged: %w", queue, err)
		}
	}
}

// Queued returns the length of the send queue: for a TCP socket the unacknowledged bytes,
// for a unix socket the memory of unread data.
func Queued(socket syscall.RawConn) (n int, err error) {
	controlErr := socket.Control(func(fd uintptr) {
		n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	})
	return n, errors.Join(controlErr, os.NewSyscallError("SIOCOUTQ", err))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Bind interrupts blocking calls on a connection when the context ends, until release is
// called.
func Bind(ctx context.Context, conn net.Conn) (release func()) {
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)                                               // a closed connection reports it when it is used
	return sink.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // likewise
}
