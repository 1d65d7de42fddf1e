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

// An EventSocket receives the multicast messages of one family. It never sends.
//
// At most one goroutine may call Receive at a time. Every other method may be called at
// any time.
type EventSocket struct {
	descriptor
	file   *os.File
	gate   *gate
	meter  *meter // nil without notifications: on NETLINK_USERSOCK, and if they are the events
	batch  *Batch
	pauses atomic.Bool // during a burst
}

// A SocketReport describes the receive buffer that the kernel granted.
type SocketReport struct {
	BufferBytes int   // size as SO_RCVBUF reads it: twice the requested size
	Limited     error // why the buffer is smaller than requested; nil if it is not
}

// OpenEventSocket opens a generic netlink socket for the target that is a member of
// nlctrl's group "notify" only. Its receive buffer has bufferBytes, if the process may have
// that much. It receives into batch, which must be cleared before the first Receive.
func OpenEventSocket(t Target, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	if t.isController() {
		return openSocket(unix.NETLINK_GENERIC, notifyGroup, bufferBytes, batch)
	}
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

// AdoptEventSocket uses an event socket for the target that an earlier process opened, with
// the messages queued in it. It fails if events is not such a socket. The meter is the
// earlier socket's Meter; if it is nil or not a meter, a new one starts to count. The
// caller keeps both files.
func AdoptEventSocket(t Target, events, meter *os.File, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	s, report, err := adoptSocket(events, unix.NETLINK_GENERIC, notifyGroup, bufferBytes, batch)
	if err != nil || t.isController() {
		return s, report, err
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

// discardError clears the error that the last recvmmsg(2) of a killed process left in
// the socket. Receive would return it, and its caller would close the socket and lose
// its queue.
func (s *EventSocket) discardError() error {
	return s.control("clear the pending error", func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return err
	})
}

// newEventSocket owns conn, and closes it on error.
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
	// Without this option, one overrun makes the kernel drop all messages until the
	// queue is empty. Drops counts the dropped messages in both cases.
	err = s.control("set NETLINK_NO_ENOBUFS", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1)
	})
	if err == nil && batch.controls != nil {
		err = s.control("set NETLINK_PKTINFO", func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_PKTINFO, 1)
		})
	}
	if err != nil {
		return nil, report, err
	}
	batch.prepare()
	if report, err = s.SetBuffer(bufferBytes); err != nil {
		return nil, report, err
	}
	err = s.control("poll the socket", func(fd int) (err error) {
		s.gate, err = newGate(fd)
		return err
	})
	return s, report, err
}

// SetBuffer sets the receive buffer, with CAP_NET_ADMIN where possible, and reads the
// size back, because the kernel reduces a size without an error. Queued messages stay,
// even if the new buffer is smaller than they are.
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
		// With one CPU, a pause would stop all other work.
		s.pauses.Store(report.BufferBytes >= pauseBuffer && runtime.GOMAXPROCS(0) > 1)
	}
	return report, err
}

// join subscribes to a multicast group. The kernel accepts a number that no family
// owns, so success does not mean that the group exists.
func (s *EventSocket) join(group uint32) error {
	return s.setMembership("join", unix.NETLINK_ADD_MEMBERSHIP, group)
}

func (s *EventSocket) setMembership(verb string, option int, group uint32) error {
	return s.control(fmt.Sprintf("%s multicast group %d", verb, group), func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, int(group))
	})
}

// SetGroups makes the socket a member of exactly these groups and of nlctrl's "notify".
// It joins before it leaves, and returns the groups that it joined. The kernel accepts
// numbers that no family owns yet. If the kernel refuses some groups, SetGroups joins the
// others, and the error is JoinErrors.
func (s *EventSocket) SetGroups(groups ...uint32) (joined []uint32, err error) {
	before, err := s.groups()
	if err != nil {
		return nil, err
	}
	refused := JoinErrors{}
	for _, g := range groups {
		if slices.Contains(before, g) {
			continue
		}
		if err := s.join(g); err != nil {
			refused[g] = err
			continue
		}
		joined = append(joined, g)
	}
	for _, g := range before {
		if g == notifyGroup || slices.Contains(groups, g) {
			continue
		}
		if err := s.setMembership("leave", unix.NETLINK_DROP_MEMBERSHIP, g); err != nil {
			return joined, err
		}
	}
	if len(refused) > 0 {
		return joined, refused
	}
	return joined, nil
}

// Cookie identifies the socket among all sockets since the kernel was booted,
// independent of the process that holds it.
func (s *EventSocket) Cookie() (cookie uint64, err error) {
	err = s.control("read the socket's cookie", func(fd int) (err error) {
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return err
	})
	return cookie, err
}

// SyscallConn returns access to the descriptor, for a service manager that stores a
// copy.
func (s *EventSocket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// Drops returns how many messages the kernel dropped since the socket was opened
// because the receive buffer was full, modulo 2^32. The count is exact, also with
// NETLINK_NO_ENOBUFS.
func (s *EventSocket) Drops() (uint32, error) {
	info, err := s.meminfo()
	return info[skMeminfoDrops], err
}

// Queued returns how many bytes of the receive buffer are in use. 0 means that no
// message is queued.
func (s *EventSocket) Queued() (bytes uint32, err error) {
	info, err := s.meminfo()
	return info[skMeminfoRmemAlloc], err
}

// Notifications returns how many messages nlctrl has multicast to "notify" since the
// meter was opened, modulo 2^32. The socket has received or dropped each of them, or it
// is still queued. Without a meter, it returns 0.
func (s *EventSocket) Notifications() (uint32, error) {
	if s.meter == nil {
		return 0, nil
	}
	info, err := s.meter.meminfo()
	return info[skMeminfoDrops], err
}

// Meter returns the socket behind Notifications, for a service manager that stores a
// copy. It returns nil without a meter.
func (s *EventSocket) Meter() syscall.Conn {
	if s.meter == nil {
		return nil
	}
	return s.meter
}

// Close ends a blocked Receive and frees the socket.
func (s *EventSocket) Close() error {
	err := s.file.Close() // the file closes when Receive returns
	if s.gate != nil {
		err = errors.Join(err, s.gate.close())
	}
	if s.meter != nil {
		err = errors.Join(err, s.meter.Close())
	}
	return err
}
