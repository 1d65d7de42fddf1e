// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// A conn is the part of a *netlink.Conn that an event socket uses.
type conn interface {
	syscall.Conn
	Close() error
}

var (
	_ conn = (*netlink.Conn)(nil)
	_ conn = inherited{}
)

// An inherited conn is a socket that another process opened. The library cannot create
// a *netlink.Conn from a descriptor.
type inherited struct{ *socket.Conn }

// inherit uses f, which must be a bound netlink socket of the protocol. The caller
// keeps f.
func inherit(f *os.File, protocol int) (inherited, error) {
	// A copy is needed because a file cannot release its descriptor.
	d, err := newDescriptor(f)
	fd := -1
	if err == nil {
		fd, err = d.copy()
	}
	if err != nil {
		return inherited{}, fmt.Errorf("take over descriptor %s: %w", f.Name(), err)
	}
	c, err := socket.New(fd, "netlink")
	if err != nil {
		return inherited{}, fmt.Errorf("take over descriptor %s: %w", f.Name(), err)
	}
	for option, want := range map[int]int{unix.SO_DOMAIN: unix.AF_NETLINK, unix.SO_PROTOCOL: protocol} {
		if got, err := c.GetsockoptInt(unix.SOL_SOCKET, option); err != nil || got != want {
			return inherited{}, errors.Join(fmt.Errorf("descriptor %s is not a netlink socket of protocol %d", f.Name(), protocol), err, c.Close())
		}
	}
	return inherited{c}, nil
}

// detach closes c and returns its socket as a file that the runtime does not poll.
func detach(c conn) (*os.File, error) {
	d, err := newDescriptor(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	fd, err := d.copy()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	// NewFile registers a non-blocking descriptor with the poller. Blocking mode has no
	// effect here, because receive passes MSG_DONTWAIT.
	if err := errors.Join(c.Close(), unix.SetNonblock(fd, false)); err != nil {
		return nil, errors.Join(fmt.Errorf("set a socket to blocking mode: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}
