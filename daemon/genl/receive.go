// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive passes batches of messages to handle, in the order of the kernel's queue, and
// blocks while the queue is empty. It returns the first error of handle or of the
// socket, and os.ErrDeadlineExceeded after Interrupt. The handler must clear the batch
// after it processed the messages; a later process finds messages that were not
// cleared. Receive does not allocate per message.
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

// receiveQueued passes the queued messages to handle. It returns false, with the gate
// open, when the queue is empty: a new message then makes the socket readable again.
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
		// A single message is not a burst. After the last message of a burst the loop
		// receives once more, because messages that arrived before the gate opened wake
		// no goroutine.
		burst := len(messages) == batchMessages || len(messages) > 1 && s.pauses.Load()
		if err != nil || !burst && !s.gate.closed {
			return err != nil, err
		}
		if s.gate.closed != burst {
			if err := s.gate.setClosed(epoll, fd, burst); err != nil {
				return true, err
			}
		}
		if burst && len(messages) < batchMessages {
			pause()
		}
	}
}

const (
	// pauseTime is how long messages accumulate during a burst. Waiting for each
	// message separately costs more than receiving it. A delay of 400 us is acceptable
	// for every sink.
	pauseTime = 400 * time.Microsecond
	// pauseBuffer is the smallest receive buffer, as SO_RCVBUF reads it, with which a
	// pause is safe: one CPU can fill less than a tenth of it during the pause.
	pauseBuffer = 8 << 20
)

// pause sleeps outside the runtime's scheduler, where each message would end the wait.
// A signal may shorten it.
func pause() {
	t := unix.NsecToTimespec(pauseTime.Nanoseconds())
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0) // a signal may shorten the pause
}

// Interrupt makes the running or the next Receive return, until Resume is called.
func (s *EventSocket) Interrupt() error { return s.gate.interrupt(time.Unix(1, 0)) }

// Resume lets Receive block again: at most for the given time, or without a limit if
// that is 0.
func (s *EventSocket) Resume(most time.Duration) error {
	var deadline time.Time
	if most != 0 {
		deadline = time.Now().Add(most)
	}
	return s.gate.interrupt(deadline)
}
