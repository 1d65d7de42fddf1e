// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenBeside binds another TCP address, which may overlap with the address of s or be the same,
// as :9941 and 127.0.0.1:9941 do. An address in use is an error and changes nothing. s continues
// until its Run ends.
func (s *Server) ListenBeside(address string) (net.Listener, error) {
	own, ok := s.listener.Listener.(*net.TCPListener)
	if !ok { // a Unix socket that systemd has passed
		return net.Listen("tcp", address)
	}
	if err := share(own, true); err != nil {
		return nil, err
	}
	beside := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return sharePort(c, true) }}
	listener, err := beside.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, errors.Join(err, share(own, false))
	}
	if err := errors.Join(share(own, false), share(listener.(*net.TCPListener), false)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// share sets whether another socket of this process may bind the port too.
func share(l *net.TCPListener, yes bool) error {
	c, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return sharePort(c, yes)
}

func sharePort(c syscall.RawConn, yes bool) (err error) {
	value := 0
	if yes {
		value = 1
	}
	cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value) })
	return errors.Join(cerr, err)
}
