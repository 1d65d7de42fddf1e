// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"sync"
	"time"
)

// A receipt caches the time of receipt of one record, because it is read from the disk.
type receipt struct {
	mu  sync.Mutex
	seq uint64 // 0 before the first use
	at  time.Time
}

// of returns the time of receipt of record seq, or else of the first readable record after
// it. It returns the zero time without one.
func (c *receipt) of(j *Journal, seq uint64) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(j, seq)
}

// read is of, for callers that hold mu.
func (c *receipt) read(j *Journal, seq uint64) (time.Time, error) {
	if c.seq == seq && !c.at.IsZero() {
		return c.at, nil
	}
	var at time.Time
	err := j.Visit(seq, func(r Record) uint64 {
		at = r.Time
		return 0
	})
	if err == nil {
		c.seq, c.at = seq, at
	}
	return at, err
}

// Oldest returns the time of receipt of the oldest record in the journal, zero without one.
// It reads the journal if the oldest record has changed since the last call.
func (j *Journal) Oldest() (time.Time, error) {
	s := j.index.stats()
	if s.First > s.Newest {
		return time.Time{}, nil
	}
	return j.oldest.of(j, s.First)
}

// Oldest returns the time of receipt of the first record after the last committed one, zero
// without one. It reads the journal if the cursor has moved since the last call: up to a
// segment.
func (r *Reader) Oldest() (time.Time, error) {
	if r.Backlog() == 0 {
		return time.Time{}, nil
	}
	return r.oldest.of(r.j, r.cursor.Position().Next)
}

// TryOldest is Oldest, but returns the zero time while another call reads the journal. So a disk
// that hangs blocks one caller only.
func (r *Reader) TryOldest() (time.Time, error) {
	if r.Backlog() == 0 || !r.oldest.mu.TryLock() {
		return time.Time{}, nil
	}
	defer r.oldest.mu.Unlock()
	return r.oldest.read(r.j, r.cursor.Position().Next)
}
