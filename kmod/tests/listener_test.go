// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes, as in genltest.h.
const (
	attrMsg    = 1
	attrPad    = 2
	attrSeq    = 3
	attrTime   = 4
	attrLoadID = 5
)

const cmdEcho = 1

// event is one decoded multicast message.
type event struct {
	Source uint32 // port id of the sender, from the kernel
	Header netlink.Header
	Genl   genetlink.Header
	Attrs  []uint16 // types, in the order of the message, without padding

	Text   string // without its NUL
	Seq    uint64
	Time   uint64
	LoadID uint64
}

func parseEvent(b []byte, source uint32) (event, error) {
	var (
		nl   netlink.Message
		genl genetlink.Message
	)
	if err := nl.UnmarshalBinary(b); err != nil {
		return event{}, err
	}
	if err := genl.UnmarshalBinary(nl.Data); err != nil {
		return event{}, err
	}
	attrs, err := netlink.UnmarshalAttributes(genl.Data)
	if err != nil {
		return event{}, err
	}

	e := event{Source: source, Header: nl.Header, Genl: genl.Header}
	for _, a := range attrs {
		if a.Type != attrPad {
			e.Attrs = append(e.Attrs, a.Type)
		}
		if err := e.set(a); err != nil {
			return event{}, err
		}
	}
	return e, nil
}

func (e *event) set(a netlink.Attribute) error {
	number := map[uint16]*uint64{attrSeq: &e.Seq, attrTime: &e.Time, attrLoadID: &e.LoadID}[a.Type]
	switch {
	case number != nil && len(a.Data) == 8:
		*number = binary.NativeEndian.Uint64(a.Data)
	case a.Type == attrMsg && len(a.Data) > 0 && a.Data[len(a.Data)-1] == 0:
		e.Text = string(a.Data[:len(a.Data)-1])
	case a.Type == attrPad:
	default:
		return fmt.Errorf("attribute %d of %d bytes: %q", a.Type, len(a.Data), a.Data)
	}
	return nil
}

// listener is a socket that is a member of the group. It does not use the libraries,
// which do not return the sender of a message.
type listener struct {
	fd  int
	buf [16 << 10]byte
}

const (
	bigBuffer   = 64 << 20
	smallBuffer = 64 << 10
)

func listen(t *testing.T) *listener {
	t.Helper()
	return listenWith(t, bigBuffer)
}

func listenWith(t *testing.T, rcvbuf int) *listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })

	l := &listener{fd: fd}
	timeout := unix.NsecToTimeval(int64(10 * time.Second))
	for _, err := range []error{
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvbuf),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(groupID(t))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func groupID(t *testing.T) uint32 {
	t.Helper()
	for _, g := range mustGetFamily(t).Groups {
		if g.Name == group {
			return g.ID
		}
	}
	t.Fatalf("the family has no group %q", group)
	return 0
}

func (l *listener) next(flags int) (event, error) {
	n, from, err := unix.Recvfrom(l.fd, l.buf[:], flags)
	if err != nil {
		return event{}, err
	}
	return parseEvent(l.buf[:n], from.(*unix.SockaddrNetlink).Pid)
}

// mustNext waits for an event.
func (l *listener) mustNext(t *testing.T) event {
	t.Helper()
	e, err := l.next(0)
	for errors.Is(err, unix.EINTR) {
		e, err = l.next(0)
	}
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return e
}

// wantNone need not wait: an event is queued before the write returns.
func (l *listener) wantNone(t *testing.T) {
	t.Helper()
	e, err := l.next(unix.MSG_DONTWAIT)
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("got an unexpected event: %+v, %v", e, err)
	}
}

// drain returns the queued events.
func (l *listener) drain(t *testing.T) []event {
	t.Helper()
	var events []event
	for {
		e, err := l.next(unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return events
		}
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		events = append(events, e)
	}
}

// drops returns how many events did not fit into the socket's buffer.
func (l *listener) drops(t *testing.T) int {
	t.Helper()
	const skMemInfoDrops = 8
	var info [skMemInfoDrops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(l.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		t.Fatalf("SO_MEMINFO: %v", errno)
	}
	return int(info[skMemInfoDrops])
}

func mustOpen(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// write makes exactly one write(2). os.WriteFile would make another one after a short
// write or a signal.
func write(path, data string) (int, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Write(fd, []byte(data))
}

func mustWrite(t *testing.T, path, data string) {
	t.Helper()
	if n, err := write(path, data); err != nil || n != len(data) {
		t.Fatalf("write %d bytes to %s: %d, %v", len(data), path, n, err)
	}
}
