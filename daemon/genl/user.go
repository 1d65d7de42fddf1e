// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenUserSocket opens an event socket over NETLINK_USERSOCK that is a member of group.
// Any process may multicast on this protocol. Tests and benchmarks thus use the real
// receive path, buffer and losses on a kernel without the module.
func OpenUserSocket(group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	return openSocket(unix.NETLINK_USERSOCK, group, bufferBytes, batch)
}

// AdoptUserSocket is AdoptEventSocket for sockets of OpenUserSocket.
func AdoptUserSocket(f *os.File, group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	return adoptSocket(f, unix.NETLINK_USERSOCK, group, bufferBytes, batch)
}

// A UserSender multicasts to sockets of OpenUserSocket. It is not safe for concurrent
// use.
type UserSender struct {
	fd   int
	port uint32
	to   unix.SockaddrNetlink
}

// NewUserSender opens a socket that multicasts to group, which is at most 32.
func NewUserSender(group uint32) (*UserSender, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_USERSOCK)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	s := &UserSender{fd: fd, to: unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (group - 1)}}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bind a netlink socket: %w", err), s.Close())
	}
	s.port = name.(*unix.SockaddrNetlink).Pid
	return s, nil
}

// Port returns the port id that receivers see as the sender.
func (s *UserSender) Port() uint32 { return s.port }

// Send multicasts one datagram. It also succeeds if the group is empty, or if the
// buffer of a member is full.
func (s *UserSender) Send(data []byte) error {
	err := unix.Sendto(s.fd, data, 0, &s.to)
	// After the multicast, the kernel also looks for a receiver with port id 0.
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// Close frees the socket.
func (s *UserSender) Close() error { return unix.Close(s.fd) }
