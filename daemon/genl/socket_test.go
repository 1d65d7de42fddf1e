// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests in this file use NETLINK_USERSOCK, on which a process may multicast: the
// kernel of this machine treats these messages like those of the module.

const userGroup = 5

// memoryBatch returns a batch that is not mapped from a file.
func memoryBatch(t *testing.T) *Batch {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, BatchBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBatch(memory)
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

func TestReceiveKeepsOrderAndSender(t *testing.T) {
	s := listen(t, 16<<20)
	send, port := multicaster(t)
	const events = 5000
	for i := range events {
		send(numbered(i))
	}
	next := 0
	done := errors.New("done")
	err := s.Receive(func(messages []Message) error {
		for _, m := range messages {
			if got := binary.NativeEndian.Uint64(m.Data[headersLen:]); int(got) != next {
				t.Fatalf("event %d, want %d", got, next)
			}
			if m.Sender != port || m.Truncated {
				t.Fatalf("sender %d, truncated %v; want %d, false", m.Sender, m.Truncated, port)
			}
			next++
		}
		if next == events {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
	if queued, err := s.Queued(); err != nil || queued != 0 {
		t.Errorf("Queued() = %d, %v after everything was received", queued, err)
	}
}

func TestABatchSurvivesTheProcessThatReceivedIt(t *testing.T) {
	batch := memoryBatch(t)
	s, _, err := openSocket(unix.NETLINK_USERSOCK, userGroup, 1<<20, batch)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	send, port := multicaster(t)
	for i := range 4 {
		send(numbered(i))
	}
	if err := s.Receive(func([]Message) error { return errDone }); !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	// A new process has only the memory.
	again, err := NewBatch(unsafe.Slice((*byte)(unsafe.Pointer(batch.layout)), BatchBytes))
	if err != nil {
		t.Fatal(err)
	}
	pending := again.Pending()
	if len(pending) != 4 || pending[3].Sender != port {
		t.Fatalf("%d messages pending: %+v", len(pending), pending)
	}
	for i, m := range pending {
		if got := binary.NativeEndian.Uint64(m.Data[headersLen:]); got != uint64(i) {
			t.Errorf("pending message %d is number %d", i, got)
		}
	}
	again.Clear()
	if pending := again.Pending(); len(pending) != 0 {
		t.Errorf("%d messages pending after Clear", len(pending))
	}
}

func TestNoMessageWaitsForTheNext(t *testing.T) {
	for name, bufferBytes := range map[string]int{"waits": 1 << 20, "pauses": 16 << 20} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, bufferBytes)
			send, _ := multicaster(t)
			received := make(chan int, 100)
			go func() {
				_ = s.Receive(func(messages []Message) error { // ends with the socket
					received <- len(messages)
					return nil
				})
			}()
			for round := range 3000 {
				sent := 1 + round%3
				for range sent {
					send(numbered(round))
				}
				for sent > 0 {
					select {
					case n := <-received:
						sent -= n
					case <-time.After(time.Minute):
						t.Fatalf("round %d: %d messages are still queued", round, sent)
					}
				}
			}
		})
	}
}

func TestReceiveReportsTruncation(t *testing.T) {
	s := listen(t, 1<<20)
	send, _ := multicaster(t)
	send(make([]byte, slotBytes+1))
	send(make([]byte, slotBytes))
	done := errors.New("done")
	var got []bool
	err := s.Receive(func(messages []Message) error {
		for _, m := range messages {
			got = append(got, m.Truncated)
		}
		if len(got) < 2 {
			return nil
		}
		return done
	})
	if !errors.Is(err, done) || len(got) != 2 || !got[0] || got[1] {
		t.Errorf("truncated = %v, %v; want [true false]", got, err)
	}
}

func TestReceivedAndDroppedIsWhatWasSent(t *testing.T) {
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
		t.Fatal("the buffer held everything: the test proves nothing")
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

func TestInterruptEndsABlockedReceive(t *testing.T) {
	s := listen(t, 64<<10)
	if n := drain(t, s); n != 0 {
		t.Errorf("received %d messages, but none was sent", n)
	}
}

func TestCloseEndsABlockedReceive(t *testing.T) {
	s := listen(t, 64<<10)
	time.AfterFunc(50*time.Millisecond, func() { s.Close() })
	if err := s.Receive(func([]Message) error { return nil }); err == nil {
		t.Error("no error from a closed socket")
	}
	if _, err := s.Drops(); err == nil {
		t.Error("no error from Drops of a closed socket")
	}
}

func TestReceiveAllocatesNothingPerMessage(t *testing.T) {
	s := listen(t, 16<<20)
	send, _ := multicaster(t)
	const events = 2000
	round := func() {
		received := 0
		_ = s.Receive(func(messages []Message) error { // ended by errDone
			if received += len(messages); received == events {
				return errDone
			}
			return nil
		})
	}
	data := numbered(1)
	allocs := testing.AllocsPerRun(5, func() {
		for range events {
			send(data)
		}
		round()
	})
	if perMessage := allocs / events; perMessage > 0.01 {
		t.Errorf("%.3f allocations per message", perMessage)
	}
}

var errDone = errors.New("done")

func TestABufferBeyondTheLimitIsReported(t *testing.T) {
	done := make(chan SocketReport)
	go func() {
		defer close(done)
		// The thread loses CAP_NET_ADMIN and ends with the goroutine.
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		s, report, err := OpenEventSocket(1<<30, memoryBatch(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		done <- report
	}()
	report := <-done
	if !errors.Is(report.Limited, unix.EPERM) || report.BufferBytes <= 0 || report.BufferBytes >= 2<<30 {
		t.Errorf("report = %+v, want a smaller buffer and EPERM", report)
	}
}

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

func TestAnAdoptedSocketKeepsItsQueueAndMembership(t *testing.T) {
	s := listen(t, 1<<20)
	send, _ := multicaster(t)
	send(numbered(1))
	cookie, err := s.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	stored := storedCopy(t, s.descriptor)
	if err := s.Close(); err != nil { // as the end of a process does
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

// TestAnErrorThatAKilledProcessLeftDoesNotLoseTheQueue: a receive that fails after its
// first message leaves its error in the socket, and the next receive returns it.
func TestAnErrorThatAKilledProcessLeftDoesNotLoseTheQueue(t *testing.T) {
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

func TestInterruptLastsUntilResume(t *testing.T) {
	s := listen(t, 1<<20)
	send, _ := multicaster(t)
	if err := s.Interrupt(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Receive(func([]Message) error { return errDone }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
	}
	send(numbered(1))
	if err := s.Resume(0); err != nil {
		t.Fatal(err)
	}
	if err := s.Receive(func([]Message) error { return errDone }); !errors.Is(err, errDone) {
		t.Errorf("resumed: %v", err)
	}
	if err := s.Resume(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := s.Receive(drop(s)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a wait with a limit: %v", err)
	}
}

// drop returns a handler that discards its messages.
func drop(s *EventSocket) func([]Message) error {
	return func([]Message) error { s.batch.Clear(); return nil }
}
