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
)

// The pause between two looks at a send queue doubles, so that the wait is at most
// about twice as long as the peer takes, or the millisecond that a Go process with
// nothing else to do sleeps at least. No event of the kernel tells that the queue is
// empty but a time stamp of each acknowledgement, which unix sockets lack.
const (
	firstPause   = 50 * time.Microsecond
	longestPause = 10 * time.Millisecond
)

// AwaitEmpty waits until a socket's send queue is empty and the peer is still there,
// as alive says, or the context ends. The queue of a TCP socket empties as the peer's
// kernel acknowledges, that of a unix socket as its process reads.
func AwaitEmpty(ctx context.Context, socket syscall.RawConn, alive func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		queue, err := Queued(socket)
		if err != nil {
			return err
		}
		// In this order: a unix socket that is closed with bytes unread has reset the
		// connection before they leave the queue.
		if err := alive(); err != nil || queue == 0 {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%d bytes are not acknowledged: %w", queue, err)
		}
	}
}

// Queued is the length of the send queue: of a TCP socket the bytes that are not
// acknowledged, of a unix socket the memory of what was not read.
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

// Bind has the context end what blocks on a connection, until release is called.
func Bind(ctx context.Context, conn net.Conn) (release func()) {
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline) // a closed connection says so when it is used
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) // likewise
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended // or it would end what the next context allows
		}
	}
}
