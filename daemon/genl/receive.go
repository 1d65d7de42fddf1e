// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive hands batches of messages to handle, in the order of the kernel's
// queue, and blocks when the queue is empty. It returns the first error of
// handle or of the socket, and os.ErrDeadlineExceeded when it was interrupted.
// The handler clears the batch when it has taken the messages; what it leaves
// there is found by a later process. It does not allocate per message.
func (s *EventSocket) Receive(handle func([]Message) error) (err error) {
	cerr := s.raw.Control(func(fd uintptr) {
		var failure error
		err = s.gate.wait(func(epoll int) (done bool) {
			done, failure = s.receiveQueued(epoll, int(fd), handle)
			return done
		})
		if failure != nil {
			err = failure
		}
	})
	return errors.Join(cerr, err)
}

// receiveQueued hands over what is queued. done is false, with the gate open, when
// there is nothing more: another message makes the socket readable anew.
func (s *EventSocket) receiveQueued(epoll, fd int, handle func([]Message) error) (done bool, err error) {
	for {
		messages, err := s.batch.receive(uintptr(fd))
		switch {
		case err == nil:
			err = handle(messages)
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			err = nil
		default:
			err = fmt.Errorf("receive from netlink: %w", err)
		}
		// One message alone is no swarm. After the last of a swarm there is another
		// look: what came before the gate was open wakes nobody.
		swarm := len(messages) == batchMessages || len(messages) > 1 && s.patient.Load()
		if err != nil || !swarm && !s.gate.shut {
			return err != nil, err
		}
		if s.gate.shut != swarm {
			if err := s.gate.turn(epoll, fd, swarm); err != nil {
				return true, err
			}
		}
		if swarm && len(messages) < batchMessages {
			pause()
		}
	}
}

const (
	// pauseTime is how long messages gather while they come in swarms. To wait for
	// each of them costs more than to receive it. 400 us more are no delay to any sink.
	pauseTime = 400 * time.Microsecond
	// pauseBuffer is the least receive buffer, as SO_RCVBUF reads, with which it is
	// safe to pause: what one CPU can multicast meanwhile takes less than a tenth of it.
	pauseBuffer = 8 << 20
)

// pause waits outside of the runtime's scheduler, where a wait would end with each
// message. A signal may shorten it.
func pause() {
	t := unix.NsecToTimespec(pauseTime.Nanoseconds())
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0) // see above
}

// Interrupt makes Receive return, now or when it is called next, until Resume.
func (s *EventSocket) Interrupt() error { return s.gate.interrupt(time.Unix(1, 0)) }

// Resume lets Receive wait again, for at most the given time unless that is 0.
func (s *EventSocket) Resume(most time.Duration) error {
	var deadline time.Time
	if most != 0 {
		deadline = time.Now().Add(most)
	}
	return s.gate.interrupt(deadline)
}
