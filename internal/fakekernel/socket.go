// SPDX-License-Identifier: Apache-2.0

package fakekernel

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/genl"
)

// A Socket is an event socket. Its methods are safe for concurrent use. The fields may be
// used while no other goroutine uses the socket, and by Set.
type Socket struct {
	BeforeHandle func() // called when messages were removed from the queue
	BeforeJoin   func() // called before a group is joined

	Groups      []uint32 // joined
	Dropped     uint32   // returned by Drops
	Notified    uint32   // returned by Notifications
	InQueue     uint32   // returned by Queued
	Interrupted bool
	Closed      bool
	BufferErr   error // of SetBuffer
	Limited     error // why the buffer is smaller than requested
	JoinErr     error // of SetGroups

	family string
	mu     sync.Mutex
	queue  chan []genl.Message
	failed chan error
	wake   chan struct{}
	cookie uint64
	buffer int // bytes requested
}

func newSocket(family string, queue int, cookie uint64) *Socket {
	return &Socket{
		family: family,
		queue:  make(chan []genl.Message, queue), failed: make(chan error, 1), wake: make(chan struct{}, 1), cookie: cookie,
	}
}

// Set changes the fields.
func (s *Socket) Set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Send queues messages that Receive returns as one batch.
func (s *Socket) Send(messages ...genl.Message) { s.queue <- messages }

// Fail lets Receive return err once the queue is empty.
func (s *Socket) Fail(err error) { s.failed <- err }

// Receive implements receiver.Socket.
func (s *Socket) Receive(handle func([]genl.Message) error) error {
	for {
		messages, err := s.next()
		if err != nil {
			return err
		}
		if s.BeforeHandle != nil {
			s.BeforeHandle()
		}
		if err := handle(messages); err != nil {
			return err
		}
	}
}

// next removes the oldest batch from the queue. Like the real socket, it returns
// ErrDeadlineExceeded only if the queue is empty.
func (s *Socket) next() ([]genl.Message, error) {
	for {
		select {
		case messages := <-s.queue:
			return messages, nil
		default:
		}
		s.mu.Lock()
		interrupted := s.Interrupted
		s.mu.Unlock()
		if interrupted {
			return nil, os.ErrDeadlineExceeded
		}
		select {
		case messages := <-s.queue:
			return messages, nil
		case err := <-s.failed:
			return nil, err
		case <-s.wake:
		}
	}
}

// Interrupt implements receiver.Socket.
func (s *Socket) Interrupt() error {
	s.Set(func() { s.Interrupted = true })
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Resume implements receiver.Socket.
func (s *Socket) Resume(most time.Duration) error {
	s.Set(func() { s.Interrupted = most != 0 })
	return nil
}

// SetGroups implements receiver.Socket.
func (s *Socket) SetGroups(groups ...uint32) (joined []uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		if !slices.Contains(s.Groups, g) {
			joined = append(joined, g)
		}
	}
	if s.BeforeJoin != nil && len(joined) > 0 {
		s.BeforeJoin()
	}
	if s.JoinErr != nil {
		return nil, s.JoinErr
	}
	s.Groups = groups
	return joined, nil
}

// SetBuffer implements receiver.Socket.
func (s *Socket) SetBuffer(bytes int) (genl.SocketReport, error) {
	if s.BufferErr != nil {
		return genl.SocketReport{}, s.BufferErr
	}
	return s.grant(bytes), nil
}

func (s *Socket) grant(bytes int) genl.SocketReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer = bytes
	if s.Limited != nil {
		return genl.SocketReport{BufferBytes: 1024, Limited: s.Limited}
	}
	return genl.SocketReport{BufferBytes: 2 * bytes}
}

// BufferBytes returns the size of the receive buffer that was requested last.
func (s *Socket) BufferBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer
}

// Cookie implements receiver.Socket.
func (s *Socket) Cookie() (uint64, error) { return s.cookie, nil }

// Drops implements receiver.Socket.
func (s *Socket) Drops() (uint32, error) { return s.read(&s.Dropped), nil }

// Notifications implements receiver.Socket.
func (s *Socket) Notifications() (uint32, error) { return s.read(&s.Notified), nil }

// Queued implements receiver.Socket.
func (s *Socket) Queued() (uint32, error) { return s.read(&s.InQueue), nil }

func (s *Socket) read(n *uint32) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

// Close implements receiver.Socket.
func (s *Socket) Close() error {
	s.Set(func() { s.Closed = true })
	return nil
}
