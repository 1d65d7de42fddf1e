// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// wakes reports whether the runtime's poller sees a message.
func (g *gate) wakes(t *testing.T) (yes bool) {
	t.Helper()
	err := g.raw.Control(func(epoll uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(epoll), Events: unix.POLLIN}}, 0)
		if err != nil {
			t.Error(err)
		}
		yes = n > 0
	})
	if err != nil {
		t.Error(err)
	}
	return yes
}

// TestBurstDoesNotWakePoller: the runtime sees a message while Receive waits for
// one. It does not see the messages that arrive while Receive handles others.
func TestBurstDoesNotWakePoller(t *testing.T) {
	s := listen(t, 16<<20)
	send, _ := multicaster(t)
	send(numbered(1))
	if !s.gate.wakes(t) {
		t.Fatal("the poller does not see a message that Receive waits for")
	}
	for i := range batchMessages {
		send(numbered(2 + i))
	}
	err := s.Receive(func(messages []Message) error {
		if len(messages) == 1 {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	send(numbered(2 + batchMessages))
	if s.gate.wakes(t) {
		t.Error("a message of a burst wakes a thread without work")
	}
	// Messages that arrived while the gate was closed are received. Later messages are
	// seen.
	if n := drain(t, s); n != 1 {
		t.Errorf("received %d messages after the burst, want 1", n)
	}
	send(numbered(3 + batchMessages))
	if !s.gate.wakes(t) {
		t.Error("the poller does not see a message after the burst")
	}
}

// TestLastMessageOfBurstIsReceived: the message arrives while Receive handles
// the previous one, with the gate closed, and no other message follows.
func TestLastMessageOfBurstIsReceived(t *testing.T) {
	s := listen(t, 16<<20)
	send, _ := multicaster(t)
	for i := range batchMessages + 1 {
		send(numbered(i))
	}
	time.Sleep(20 * time.Millisecond) // the runtime sees these; epoll reports a socket only once
	var batches []int
	hanging := time.AfterFunc(10*time.Second, func() { _ = s.Interrupt() }) // ends a test that hangs
	defer hanging.Stop()
	err := s.Receive(func(messages []Message) error {
		batches = append(batches, len(messages))
		switch len(batches) {
		case 2:
			send(numbered(batchMessages + 1))
		case 3:
			return errDone
		}
		return nil
	})
	if diff := cmp.Diff([]int{batchMessages, 1, 1}, batches); diff != "" || !errors.Is(err, errDone) {
		t.Errorf("%v; batches (-want +got):\n%s", err, diff)
	}
}
