// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An EventSocket receives multicast messages. It never sends.
//
// Receive must not be called by two goroutines at once; every other method may
// be called at any time.
type EventSocket struct {
	descriptor
	file    *os.File
	gate    *gate
	meter   *meter // nil on NETLINK_USERSOCK, where nobody notifies
	batch   *Batch
	patient atomic.Bool // may pause
}

// SocketReport says what the kernel granted when a socket was opened, or its buffer
// changed.
type SocketReport struct {
	BufferBytes int   // what the receive buffer holds, as SO_RCVBUF reads: twice what was asked for
	Limited     error // why it is smaller than asked for; nil when it is not
}

// OpenEventSocket opens a generic netlink socket that is a member of nlctrl's
// group "notify" and of no other, with a receive buffer of bufferBytes if the
// process may have that much. It receives into batch, which must be cleared
// before the first Receive.
func OpenEventSocket(bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	m, err := openMeter()
	if err != nil {
		return nil, SocketReport{}, err
	}
	s, report, err := openSocket(unix.NETLINK_GENERIC, notifyGroup, bufferBytes, batch)
	if err != nil {
		return nil, report, errors.Join(err, m.Close())
	}
	s.meter = m
	return s, report, nil
}

// AdoptEventSocket goes on with an event socket that an earlier process has
// opened, and with what is queued in it. It fails when events is anything else.
// meter is its Meter; when it is nil or anything else a new one begins to count.
// The files stay the caller's.
func AdoptEventSocket(events, meter *os.File, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	s, report, err := adoptSocket(events, unix.NETLINK_GENERIC, notifyGroup, bufferBytes, batch)
	if err != nil {
		return nil, report, err
	}
	m, err := adoptMeter(meter)
	if err != nil {
		m, err = openMeter()
	}
	if err != nil {
		return nil, report, errors.Join(err, s.Close())
	}
	s.meter = m
	return s, report, nil
}

func openSocket(protocol int, group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	conn, err := netlink.Dial(protocol, nil)
	if err != nil {
		return nil, SocketReport{}, fmt.Errorf("open a netlink socket: %w", err)
	}
	s, report, err := newEventSocket(conn, bufferBytes, batch)
	if err != nil {
		return nil, SocketReport{}, err
	}
	if err := s.join(group); err != nil {
		return nil, SocketReport{}, errors.Join(err, s.Close())
	}
	return s, report, nil
}

func adoptSocket(f *os.File, protocol int, group uint32, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	conn, err := inherit(f, protocol)
	if err != nil {
		return nil, SocketReport{}, err
	}
	s, report, err := newEventSocket(conn, bufferBytes, batch)
	if err != nil {
		return nil, SocketReport{}, err
	}
	err = s.isMember(f.Name(), group)
	if err == nil {
		err = s.discardError()
	}
	if err != nil {
		return nil, SocketReport{}, errors.Join(err, s.Close())
	}
	return s, report, nil
}

// discardError discards the error that the last recvmmsg(2) of a killed process has left in
// the socket. Receive would return it, and its caller would give up the socket and its queue.
func (s *EventSocket) discardError() error {
	return s.control("clear the pending error", func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return err
	})
}

// newEventSocket takes over conn, and closes it when it fails.
func newEventSocket(conn conn, bufferBytes int, batch *Batch) (_ *EventSocket, report SocketReport, err error) {
	s := &EventSocket{batch: batch}
	if s.file, err = detach(conn); err != nil {
		return nil, report, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.descriptor, err = newDescriptor(s.file); err != nil {
		return nil, report, err
	}
	// Without this option one overrun makes the kernel drop everything until the
	// queue is empty. The dropped messages are counted either way (Drops).
	err = s.control("set NETLINK_NO_ENOBUFS", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1)
	})
	if err != nil {
		return nil, report, err
	}
	batch.prepare()
	if report, err = s.SetBuffer(bufferBytes); err != nil {
		return nil, report, err
	}
	err = s.control("watch the socket", func(fd int) (err error) {
		s.gate, err = newGate(fd)
		return err
	})
	return s, report, err
}

// SetBuffer asks for the receive buffer with CAP_NET_ADMIN first, then without,
// and reads back what it got: the kernel shortens a size in silence. What is queued
// stays, also where a smaller buffer has no room for more.
func (s *EventSocket) SetBuffer(bytes int) (report SocketReport, err error) {
	err = s.control(fmt.Sprintf("set the receive buffer to %d bytes", bytes), func(fd int) (err error) {
		forced := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes)
		if forced != nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes); err != nil {
				return err
			}
		}
		report.BufferBytes, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err == nil && report.BufferBytes < 2*bytes {
			report.Limited = forced
		}
		return err
	})
	if err == nil {
		// On one CPU nothing else would run during a pause.
		s.patient.Store(report.BufferBytes >= pauseBuffer && runtime.GOMAXPROCS(0) > 1)
	}
	return report, err
}

// join subscribes to a multicast group. The kernel accepts a number that no
// family owns, so success does not mean that events will come.
func (s *EventSocket) join(group uint32) error {
	return s.setMembership("join", unix.NETLINK_ADD_MEMBERSHIP, group)
}

func (s *EventSocket) setMembership(verb string, option int, group uint32) error {
	return s.control(fmt.Sprintf("%s multicast group %d", verb, group), func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, int(group))
	})
}

// SetGroups makes the socket a member of these groups and of nlctrl's "notify",
// and of no other. It joins before it leaves. joined are the groups that it was
// no member of. The kernel accepts a number that no family owns yet.
func (s *EventSocket) SetGroups(groups ...uint32) (joined []uint32, err error) {
	had, err := s.groups()
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if slices.Contains(had, g) {
			continue
		}
		if err := s.join(g); err != nil {
			return joined, err
		}
		joined = append(joined, g)
	}
	for _, g := range had {
		if g == notifyGroup || slices.Contains(groups, g) {
			continue
		}
		if err := s.setMembership("leave", unix.NETLINK_DROP_MEMBERSHIP, g); err != nil {
			return joined, err
		}
	}
	return joined, nil
}

// Cookie names the socket among all that the kernel has had since it was booted,
// whichever process holds it.
func (s *EventSocket) Cookie() (cookie uint64, err error) {
	err = s.control("read the socket's cookie", func(fd int) (err error) {
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return err
	})
	return cookie, err
}

// SyscallConn gives access to the descriptor, for a service manager that is to
// keep a copy.
func (s *EventSocket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// Drops returns how many messages the kernel has dropped because the receive
// buffer was full, counted from the opening of the socket, modulo 2^32. It is
// exact, also with NETLINK_NO_ENOBUFS.
func (s *EventSocket) Drops() (uint32, error) {
	info, err := s.meminfo()
	return info[skMeminfoDrops], err
}

// Queued returns how much of the receive buffer is in use; 0 means that nothing
// waits to be received.
func (s *EventSocket) Queued() (bytes uint32, err error) {
	info, err := s.meminfo()
	return info[skMeminfoRmemAlloc], err
}

// Notifications returns how many messages nlctrl has multicast to "notify" since
// the socket's meter was opened, modulo 2^32. The socket has received each of them,
// dropped it, or it waits to be received.
func (s *EventSocket) Notifications() (uint32, error) {
	if s.meter == nil {
		return 0, nil
	}
	info, err := s.meter.meminfo()
	return info[skMeminfoDrops], err
}

// Meter is the descriptor behind Notifications, for a service manager that is to
// keep a copy.
func (s *EventSocket) Meter() syscall.Conn { return s.meter }

// Close ends a blocked Receive and frees the socket.
func (s *EventSocket) Close() error {
	err := s.file.Close() // once Receive has let go of it
	if s.gate != nil {
		err = errors.Join(err, s.gate.close())
	}
	if s.meter != nil {
		err = errors.Join(err, s.meter.Close())
	}
	return err
}
