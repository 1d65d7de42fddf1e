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

// A gate stands between a socket and the runtime's poller. The poller wakes a
// thread for each message that it can see, also when nobody waits for one: in a
// swarm of events that takes up to a quarter of the daemon's CPU time, and some of
// the sender's. While the gate is shut it sees none.
//
// It is an epoll instance with nothing but the socket in it, which the runtime
// polls in the socket's place.
type gate struct {
	file *os.File
	raw  syscall.RawConn
	shut bool
}

func newGate(socket int) (*gate, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{Events: unix.EPOLLIN})
	if err == nil {
		err = unix.SetNonblock(epoll, true) // or the runtime does not poll it
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

// wait calls receive, and again each time that there may be a message, until it
// reports that it is done.
func (g *gate) wait(receive func(epoll int) (done bool)) error {
	return g.raw.Read(func(epoll uintptr) bool { return receive(int(epoll)) })
}

// turn shuts the gate or opens it, for who is inside of wait. To open it may wake
// nobody for what came before: epoll tells once of a socket that stays readable.
func (g *gate) turn(epoll, socket int, shut bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if shut {
		event.Events = 0
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_MOD, socket, &event); err != nil {
		return fmt.Errorf("poll a socket: %w", err)
	}
	g.shut = shut
	return nil
}

// interrupt makes wait return os.ErrDeadlineExceeded from then on; the zero time
// ends that.
func (g *gate) interrupt(from time.Time) error { return g.file.SetReadDeadline(from) }

// close ends a wait.
func (g *gate) close() error { return g.file.Close() }
