// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/capabilities"
)

// The tests in this file use NETLINK_USERSOCK, on which a process may multicast: the
// kernel of this machine treats these messages like those of the module.

const userGroup = 5

// memoryBatch returns a batch that is not mapped from a file.
func memoryBatch(t *testing.T) *Batch {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, BatchBytes(Genltest), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBatch(memory, Genltest)
	if err != nil {
		t.Fatal(err)
	}
	b.Clear()
	return b
}

func listen(t *testing.T, bufferBytes int) *EventSocket {
	t.Helper()
	s, report, err := openSocket(unix.NETLINK_USERSOCK, userGroup, bufferBytes, memoryBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if report.BufferBytes <= 0 {
		t.Errorf("receive buffer of %d bytes", report.BufferBytes)
	}
	return s
}

// multicaster returns a function that multicasts one datagram.
func multicaster(t *testing.T) (send func(data []byte), port uint32) {
	t.Helper()
	s, err := NewUserSender(userGroup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return func(data []byte) {
		if err := s.Send(data); err != nil {
			t.Error(err)
		}
	}, s.Port()
}

func numbered(i int) []byte {
	b := make([]byte, 64)
	binary.NativeEndian.PutUint32(b, 64)
	binary.NativeEndian.PutUint64(b[headersLen:], uint64(i))
	return b
}

func TestReceivedPlusDroppedEqualsSent(t *testing.T) {
	s := listen(t, 64<<10)
	send, _ := multicaster(t)
	const events = 10000
	for i := range events {
		send(numbered(i))
	}
	dropped, err := s.Drops()
	if err != nil {
		t.Fatal(err)
	}
	if dropped == 0 {
		t.Fatal("no event was dropped: the buffer is too large for this test")
	}
	received := drain(t, s)
	if received+int(dropped) != events {
		t.Errorf("received %d + dropped %d != sent %d", received, dropped, events)
	}
}

// drain receives all queued messages.
func drain(t *testing.T, s *EventSocket) (received int) {
	t.Helper()
	time.AfterFunc(100*time.Millisecond, func() { _ = s.Interrupt() }) // without it the test hangs
	if err := s.Receive(func(messages []Message) error {
		received += len(messages)
		return nil
	}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return received
}

func TestBufferAboveLimitIsReported(t *testing.T) {
	var report SocketReport
	capabilities.Without(t, func() {
		s, granted, err := OpenEventSocket(Genltest, 1<<30, memoryBatch(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		report = granted
	})
	if !errors.Is(report.Limited, unix.EPERM) || report.BufferBytes <= 0 || report.BufferBytes >= 2<<30 {
		t.Errorf("report = %+v, want a smaller buffer and EPERM", report)
	}
}

func TestSetGroupsJoinsAndLeaves(t *testing.T) {
	s := listen(t, 1<<20)
	for _, step := range []struct{ groups, joined, member []uint32 }{
		{[]uint32{3, 31}, []uint32{3, 31}, []uint32{3, 31}},
		{[]uint32{31, 4}, []uint32{4}, []uint32{4, 31}},
		{[]uint32{4}, nil, []uint32{4}},
		{nil, nil, nil},
	} {
		joined, err := s.SetGroups(step.groups...)
		if err != nil || !slices.Equal(joined, step.joined) {
			t.Errorf("SetGroups(%d) joined %d, %v", step.groups, joined, err)
		}
		member, err := s.groups()
		if err != nil || !slices.Equal(member, step.member) {
			t.Errorf("after SetGroups(%d) the socket is a member of %d, %v", step.groups, member, err)
		}
	}
}
