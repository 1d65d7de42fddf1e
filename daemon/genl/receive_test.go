// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

func TestBatchSurvivesKill(t *testing.T) {
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
	again, err := NewBatch(unsafe.Slice((*byte)(unsafe.Pointer(batch.layout)), BatchBytes(Genltest)), Genltest)
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

// TestPendingMessagesKeepTheirGroup: the next process prepares the batch for its socket
// before it reads the messages of the last one.
func TestPendingMessagesKeepTheirGroup(t *testing.T) {
	other := Target{Family: "other"}
	memory, err := unix.Mmap(-1, 0, BatchBytes(other), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	socket := func(clearFirst bool) (*EventSocket, *Batch) {
		batch, err := NewBatch(memory, other)
		if err != nil {
			t.Fatal(err)
		}
		if clearFirst {
			batch.Clear()
		}
		s, _, err := openSocket(unix.NETLINK_USERSOCK, userGroup, 1<<20, batch)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, batch
	}
	s, batch := socket(true)
	send, _ := multicaster(t)
	for round := range 3 {
		send(numbered(1))
		send(make([]byte, slotBytes+1))
		send(numbered(2))
		if err := s.Receive(func(messages []Message) error { return errDone }); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		_, next := socket(false)
		pending := next.Pending()
		if len(pending) != 3 {
			t.Fatalf("round %d: %d messages pending", round, len(pending))
		}
		for i, m := range pending {
			if m.Group != userGroup || m.Truncated != (i == 1) {
				t.Errorf("round %d: message %d: group %d, truncated %v", round, i, m.Group, m.Truncated)
			}
		}
		batch.Clear()
		if pending := next.Pending(); len(pending) != 0 {
			t.Errorf("round %d: %d messages pending after Clear", round, len(pending))
		}
	}
}

func TestMessageIsReceivedWithoutWaitingForNext(t *testing.T) {
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

func TestInterruptEndsBlockedReceive(t *testing.T) {
	s := listen(t, 64<<10)
	if n := drain(t, s); n != 0 {
		t.Errorf("received %d messages, want 0", n)
	}
}

func TestCloseEndsBlockedReceive(t *testing.T) {
	s := listen(t, 64<<10)
	time.AfterFunc(50*time.Millisecond, func() { s.Close() })
	if err := s.Receive(func([]Message) error { return nil }); err == nil {
		t.Error("no error from a closed socket")
	}
	if _, err := s.Drops(); err == nil {
		t.Error("no error from Drops of a closed socket")
	}
}

func TestReceiveDoesNotAllocatePerMessage(t *testing.T) {
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
