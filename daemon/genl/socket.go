// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An EventSocket receives multicast messages. It never sends.
//
// Receive must not be called by two goroutines at once; every other method may
// be called at any time.
type EventSocket struct {
	conn  *netlink.Conn
	raw   syscall.RawConn
	batch *Batch
}

// SocketReport says what the kernel granted when a socket was opened.
type SocketReport struct {
	BufferBytes int   // what the receive buffer holds, as SO_RCVBUF reads: twice what was asked for
	Limited     error // why it is smaller than asked for; nil when it is not
}

// OpenEventSocket opens a generic netlink socket that is a member of nlctrl's
// group "notify" and of no other, with a receive buffer of bufferBytes if the
// process may have that much. It receives into batch, which must hold nothing
// that is still wanted.
func OpenEventSocket(bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	s, report, err := openSocket(unix.NETLINK_GENERIC, bufferBytes, batch)
	if err != nil {
		return nil, SocketReport{}, err
	}
	if err := s.Join(notifyGroup); err != nil {
		return nil, SocketReport{}, errors.Join(err, s.Close())
	}
	return s, report, nil
}

func openSocket(protocol, bufferBytes int, batch *Batch) (*EventSocket, SocketReport, error) {
	conn, err := netlink.Dial(protocol, nil)
	if err != nil {
		return nil, SocketReport{}, fmt.Errorf("open a netlink socket: %w", err)
	}
	// Without this option one overrun makes the kernel drop everything until the
	// queue is empty. The dropped messages are counted either way (Drops).
	if err := conn.SetOption(netlink.NoENOBUFS, true); err != nil {
		return nil, SocketReport{}, errors.Join(fmt.Errorf("set NETLINK_NO_ENOBUFS: %w", err), conn.Close())
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, SocketReport{}, errors.Join(fmt.Errorf("reach the socket's descriptor: %w", err), conn.Close())
	}
	batch.prepare()
	s := &EventSocket{conn: conn, raw: raw, batch: batch}
	report, err := s.setBuffer(bufferBytes)
	if err != nil {
		return nil, SocketReport{}, errors.Join(err, conn.Close())
	}
	return s, report, nil
}

// setBuffer asks for the receive buffer with CAP_NET_ADMIN first, then without,
// and reads back what it got: the kernel shortens a size in silence.
func (s *EventSocket) setBuffer(bytes int) (report SocketReport, err error) {
	cerr := s.raw.Control(func(fd uintptr) {
		forced := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes)
		if forced != nil {
			if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes); err != nil {
				return
			}
		}
		report.BufferBytes, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err == nil && report.BufferBytes < 2*bytes {
			report.Limited = forced
		}
	})
	if err := errors.Join(cerr, err); err != nil {
		return SocketReport{}, fmt.Errorf("set the receive buffer to %d bytes: %w", bytes, err)
	}
	return report, nil
}

// Join subscribes to a multicast group. The kernel accepts a number that no
// family owns, so success does not mean that events will come.
func (s *EventSocket) Join(group uint32) error {
	if err := s.conn.JoinGroup(group); err != nil {
		return fmt.Errorf("join multicast group %d: %w", group, err)
	}
	return nil
}

// Receive hands batches of messages to handle, in the order of the kernel's
// queue, and blocks when the queue is empty. It returns the first error of
// handle or of the socket; after Interrupt that is os.ErrDeadlineExceeded. The
// handler clears the batch when it has taken the messages; what it leaves there
// is found by a later process. It does not allocate per message.
func (s *EventSocket) Receive(handle func([]Message) error) error {
	var failure error
	rerr := s.raw.Read(func(fd uintptr) bool {
		for {
			messages, err := s.batch.receive(fd)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false // wait for more
			case errors.Is(err, unix.EINTR):
				continue
			case err != nil:
				failure = fmt.Errorf("receive from netlink: %w", err)
				return true
			}
			if failure = handle(messages); failure != nil {
				return true
			}
		}
	})
	if failure != nil {
		return failure
	}
	return rerr
}

// Interrupt makes a blocked Receive return, and every later one.
func (s *EventSocket) Interrupt() error {
	return s.conn.SetReadDeadline(time.Unix(1, 0))
}

// Indices of what SO_MEMINFO returns (linux/sock_diag.h).
const (
	skMeminfoRmemAlloc = 0
	skMeminfoDrops     = 8
)

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

func (s *EventSocket) meminfo() (info [skMeminfoDrops + 1]uint32, err error) {
	size := uint32(unsafe.Sizeof(info))
	var errno unix.Errno
	err = s.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return info, fmt.Errorf("read the socket's SO_MEMINFO: %w", err)
	}
	return info, nil
}

// Close ends a blocked Receive and frees the socket.
func (s *EventSocket) Close() error { return s.conn.Close() }
