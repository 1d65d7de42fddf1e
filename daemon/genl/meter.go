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

// A meter counts the messages that nlctrl multicasts to "notify", and does not receive
// them: its receive buffer is full from the beginning, so the kernel drops each message
// and counts the drop. An event socket is also a member of the group, and either
// received or dropped each of these messages. The meter thus bounds how many of the
// event socket's drops were not events. The kernel keeps the count, so it survives the
// process if the socket does.
type meter struct {
	descriptor
	conn conn
}

// fillers is the number of messages that fill a meter's buffer. The smallest buffer
// that the kernel grants has 2,304 bytes, and each message occupies at least a third of
// it.
const fillers = 8

// openMeter must be called before the event socket is opened. The kernel delivers to
// the members of a group from the newest to the oldest, so the meter never counts a
// message before it reaches the event socket.
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

// fill queues replies until the buffer is full, then joins the group.
func (m *meter) fill(c *netlink.Conn) error {
	for range fillers {
		noop := netlink.Header{Type: netlink.Noop, Flags: netlink.Request | netlink.Acknowledge}
		if _, err := c.Send(netlink.Message{Header: noop}); err != nil {
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

// adoptMeter uses a meter that an earlier process opened.
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

// newMeter owns c, and closes it on error.
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
		err = fmt.Errorf("the receive buffer is not full: %d of %d bytes", info[skMeminfoRmemAlloc], info[skMeminfoRcvbuf])
	}
	return err
}

// SyscallConn returns access to the descriptor, for a service manager that stores a
// copy.
func (m *meter) SyscallConn() (syscall.RawConn, error) { return m.raw, nil }

// Close frees the socket.
func (m *meter) Close() error { return m.conn.Close() }
