// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A meter counts what nlctrl multicasts to "notify" and receives none of it: its
// receive buffer is full from the beginning, so that the kernel drops each message
// and counts it. An event socket, which is a member too, has received each of them
// or dropped it; so the meter tells how many of its drops were no events. As the
// count is the kernel's, it outlives the process where the socket does.
type meter struct {
	descriptor
	conn conn
}

// fillers are the messages that fill a meter's buffer: each takes a third of the
// least size that the kernel grants, 2,304 bytes, or more.
const fillers = 8

// openMeter must come before the event socket: the kernel serves the members of a
// group from the newest to the oldest, so that the meter never counts what the
// event socket is still to get.
func openMeter() (*meter, error) {
	c, err := netlink.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	m, err := newMeter(c)
	if err != nil {
		return nil, err
	}
	if err := m.fill(c); err != nil {
		return nil, errors.Join(fmt.Errorf("count the kernel's notifications: %w", err), m.Close())
	}
	return m, nil
}

// fill queues answers until there is no room, and joins the group then.
func (m *meter) fill(c *netlink.Conn) error {
	for range fillers {
		if _, err := c.Send(netlink.Message{Header: netlink.Header{Type: netlink.Noop, Flags: netlink.Request | netlink.Acknowledge}}); err != nil {
			return err
		}
	}
	err := m.control("shrink a receive buffer", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0)
	})
	if err != nil {
		return err
	}
	if err := m.isFull(); err != nil {
		return err
	}
	return c.JoinGroup(notifyGroup)
}

// adoptMeter goes on with a meter that an earlier process has opened.
func adoptMeter(f *os.File) (*meter, error) {
	if f == nil {
		return nil, os.ErrNotExist
	}
	c, err := inherit(f, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	m, err := newMeter(c)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(m.isMember(f.Name(), notifyGroup), m.isFull()); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// newMeter takes over c, and closes it when it fails.
func newMeter(c conn) (*meter, error) {
	d, err := newDescriptor(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &meter{d, c}, nil
}

func (m *meter) isFull() error {
	info, err := m.meminfo()
	if err == nil && info[skMeminfoRmemAlloc] <= info[skMeminfoRcvbuf] {
		err = fmt.Errorf("%d bytes do not fill a receive buffer of %d", info[skMeminfoRmemAlloc], info[skMeminfoRcvbuf])
	}
	return err
}

// SyscallConn gives access to the descriptor, for a service manager that is to
// keep a copy.
func (m *meter) SyscallConn() (syscall.RawConn, error) { return m.raw, nil }

// Close frees the socket.
func (m *meter) Close() error { return m.conn.Close() }
