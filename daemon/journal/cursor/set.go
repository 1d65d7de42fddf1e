// SPDX-License-Identifier: Apache-2.0

package cursor

import (
	"errors"
	"fmt"
	"sync"
)

// A Set contains the cursors of a journal. It is safe for concurrent use. Its lock may be
// held while a lock of a cursor is taken, but never during a write or an fsync.
type Set struct {
	mu      sync.Mutex
	cursors map[string]*Cursor
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{cursors: map[string]*Cursor{}} }

// Add adds a cursor.
func (s *Set) Add(c *Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[c.Name] = c
}

// Get returns the cursor of that name, or nil.
func (s *Set) Get(name string) *Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[name]
}

// All returns all cursors, in no order.
func (s *Set) All() []*Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	cursors := make([]*Cursor, 0, len(s.cursors))
	for _, c := range s.cursors {
		cursors = append(cursors, c)
	}
	return cursors
}

// Pinned returns the cursors of pinned readers.
func (s *Set) Pinned() (pinned []*Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cursors {
		if c.pinned {
			pinned = append(pinned, c)
		}
	}
	return pinned
}

// Passed reports whether there are cursors, and all of them have passed the messages
// before the number end, now or durably.
func (s *Set) Passed(end uint64, durably bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cursors {
		if c.Passed(durably) < end {
			return false
		}
	}
	return len(s.cursors) > 0
}

// Open assigns the cursor to a reader. It returns false if the cursor has a reader.
func (s *Set) Open(c *Cursor, pin bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.open {
		return false
	}
	c.open, c.pinned = true, pin
	return true
}

// Leave ends the assignment of the cursor to its reader, and its pin.
func (s *Set) Leave(c *Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.open, c.pinned = false, false
}

// Pin begins or ends the pin of a cursor.
func (s *Set) Pin(c *Cursor, pin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.pinned = pin
}

// Remove removes the cursor of that name from the set, and returns it. It returns nil if
// the cursor does not exist, or if it has a reader.
func (s *Set) Remove(name string) *Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cursors[name]
	if c == nil || c.open {
		return nil
	}
	delete(s.cursors, name)
	return c
}

// Flush writes all cursors and, if durable is true, makes them durable.
func (s *Set) Flush(durable bool) error {
	var errs []error
	for _, c := range s.All() {
		if err := c.Flush(durable); err != nil {
			errs = append(errs, fmt.Errorf("write cursor %s: %w", c.Path, err))
		}
	}
	return errors.Join(errs...)
}

// Pending reports whether a cursor has to be written, or to be made durable.
func (s *Set) Pending(durably bool) bool {
	for _, c := range s.All() {
		if c.Pending(durably) {
			return true
		}
	}
	return false
}

// Release closes the files of all cursors.
func (s *Set) Release() {
	for _, c := range s.All() {
		c.Release()
	}
}
