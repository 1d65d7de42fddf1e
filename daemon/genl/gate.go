// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A gate controls whether the runtime's poller sees the messages of a socket. The
// poller wakes a thread for each message that it sees, even if no goroutine waits for
// one. In a burst of events that costs up to a quarter of the daemon's CPU time, and
// some of the sender's. A closed gate hides all messages.
//
// It is an epoll instance that contains only the socket. The runtime polls it instead
// of the socket.
type gate struct {
	file   *os.File
	raw    syscall.RawConn
	closed bool
}

func newGate(socket int) (*gate, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll instance: %w", err)
	}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{Events: unix.EPOLLIN})
	if err == nil {
		err = unix.SetNonblock(epoll, true) // the runtime polls only non-blocking files
	}
	g := &gate{file: os.NewFile(uintptr(epoll), "gate")}
	if err == nil {
		g.raw, err = g.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("poll a socket: %w", err), g.file.Close())
	}
	return g, nil
}

// wait calls receive, and again whenever a message may be queued, until receive returns
// true.
func (g *gate) wait(receive func(epoll int) (done bool)) error {
	return g.raw.Read(func(epoll uintptr) bool { return receive(int(epoll)) })
}

// setClosed closes or opens the gate. It must be called within wait. Opening does not
// wake the goroutine for messages that arrived before: epoll reports only once that a
// socket is readable.
func (g *gate) setClosed(epoll, socket int, closed bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if closed {
		event.Events = 0
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_MOD, socket, &event); err != nil {
		return fmt.Errorf("poll a socket: %w", err)
	}
	g.closed = closed
	return nil
}

// interrupt makes wait return os.ErrDeadlineExceeded after the given time. The zero
// time cancels this.
func (g *gate) interrupt(from time.Time) error { return g.file.SetReadDeadline(from) }

// close ends a wait.
func (g *gate) close() error { return g.file.Close() }
