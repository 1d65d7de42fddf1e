// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// storedCopy returns a copy of the descriptor, as a service manager passes it to the
// next process.
func storedCopy(t *testing.T, d descriptor) *os.File {
	t.Helper()
	fd, err := d.copy()
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "stored")
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAdoptedSocketKeepsQueueAndMembership(t *testing.T) {
	s := listen(t, 1<<20)
	send, _ := multicaster(t)
	send(numbered(1))
	cookie, err := s.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	stored := storedCopy(t, s.descriptor)
	if err := s.Close(); err != nil { // has the effect of the end of the process
		t.Fatal(err)
	}
	send(numbered(2))
	s, report, err := AdoptUserSocket(stored, userGroup, 2<<20, memoryBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	send(numbered(3))
	if got, err := s.Cookie(); got != cookie || err != nil {
		t.Errorf("cookie %d, %v; it was %d", got, err, cookie)
	}
	if report.BufferBytes != 4<<20 {
		t.Errorf("receive buffer of %d bytes", report.BufferBytes)
	}
	var got []uint64
	err = s.Receive(func(messages []Message) error {
		for _, m := range messages {
			got = append(got, binary.NativeEndian.Uint64(m.Data[headersLen:]))
		}
		if len(got) == 3 {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) || !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("received %d: %v", got, err)
	}
}

// TestPendingSocketErrorKeepsQueue: a receive that fails after its
// first message leaves its error in the socket, and the next receive returns it.
func TestPendingSocketErrorKeepsQueue(t *testing.T) {
	batch := memoryBatch(t)
	s, _, err := openSocket(unix.NETLINK_USERSOCK, userGroup, 1<<20, batch)
	if err != nil {
		t.Fatal(err)
	}
	stored := storedCopy(t, s.descriptor)
	send, _ := multicaster(t)
	for i := range 3 {
		send(numbered(i))
	}
	// The second slot is not writable, as if its page fault failed during a kill.
	hole, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(hole) }()
	batch.iovecs[1].Base = unsafe.SliceData(hole)
	err = s.Receive(func(messages []Message) error {
		if len(messages) != 1 {
			t.Errorf("received %d messages, want the first alone", len(messages))
		}
		return errDone
	})
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _, err = AdoptUserSocket(stored, userGroup, 1<<20, memoryBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Receive(func(messages []Message) error {
		if got := binary.NativeEndian.Uint64(messages[0].Data[headersLen:]); len(messages) != 1 || got != 2 {
			t.Errorf("received %d messages, the first with number %d; want number 2 alone", len(messages), got)
		}
		return errDone
	})
	if !errors.Is(err, errDone) {
		t.Errorf("the adopted socket: %v", err)
	}
}

func TestAdoptRejectsOtherDescriptors(t *testing.T) {
	netlink := func(protocol int) int {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	stream, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, fd := range map[string]int{
		"another protocol": netlink(unix.NETLINK_ROUTE), "no member": netlink(unix.NETLINK_USERSOCK), "no netlink": stream, "no socket": file,
	} {
		f := os.NewFile(uintptr(fd), name)
		if s, _, err := AdoptUserSocket(f, userGroup, 1<<20, memoryBatch(t)); err == nil {
			t.Errorf("%s: was adopted", name)
			s.Close()
		}
		if _, err := f.Stat(); err != nil {
			t.Errorf("%s: the caller's file: %v", name, err)
		}
		f.Close()
	}
}
