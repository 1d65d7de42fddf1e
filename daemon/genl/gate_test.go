// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// wakes reports whether the runtime's poller sees that there are messages.
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

// TestMessagesOfASwarmWakeNobody: the runtime sees a message when Receive waits
// for one, and none of those that come while it is at work.
func TestMessagesOfASwarmWakeNobody(t *testing.T) {
	s := listen(t, 16<<20)
	send, _ := multicaster(t)
	send(numbered(1))
	if !s.gate.wakes(t) {
		t.Fatal("nobody learns of a message that Receive is to wait for")
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
		t.Error("a message of a swarm wakes a thread that has nothing to do")
	}
	// What came while the gate was shut is not forgotten, and what comes later is seen.
	if n := drain(t, s); n != 1 {
		t.Errorf("received %d messages after the swarm, want 1", n)
	}
	send(numbered(3 + batchMessages))
	if !s.gate.wakes(t) {
		t.Error("nobody learns of a message after the swarm")
	}
}

// TestTheLastMessageOfASwarmIsNotForgotten: it comes while the last but one is
// being handled, with the gate shut, and no other comes after it.
func TestTheLastMessageOfASwarmIsNotForgotten(t *testing.T) {
	s := listen(t, 16<<20)
	send, _ := multicaster(t)
	for i := range batchMessages + 1 {
		send(numbered(i))
	}
	time.Sleep(20 * time.Millisecond) // the runtime sees these, and epoll does not tell it twice of one socket
	var batches []int
	hanging := time.AfterFunc(10*time.Second, func() { _ = s.Interrupt() }) // the test would hang and say so
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
