// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A readerSet contains the open readers. No other lock is taken while its lock is held.
type readerSet struct {
	mu   sync.Mutex
	list []*Reader
}

// wake wakes the readers that wait for a record.
func (s *readerSet) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.list {
		r.wake.set()
	}
}

func (s *readerSet) add(r *Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, r)
}

// remove removes a reader. It reports false if that was done before.
func (s *readerSet) remove(r *Reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.list, r)
	if i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
	return i >= 0
}

func (s *readerSet) contains(r *Reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.list, r)
}

// hold sets the segment of a reader and its file. It returns the file before.
func (s *readerSet) hold(r *Reader, at *logSegment, file vfs.File) (before vfs.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = r.file
	r.segment, r.file = at, file
	return before
}

// dupOf returns a descriptor of a segment that a reader has open, or nil.
func (s *readerSet) dupOf(at *logSegment) (vfs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.list {
		if r.segment == at && r.file != nil {
			return r.file.Dup()
		}
	}
	return nil, nil
}

// openCursor returns the cursor of that name, and creates it if it does not exist. The caller
// holds the lock of the syncer.
func (j *Journal) openCursor(name string, start Start) (*cursor.Cursor, error) {
	c := j.cursors.Get(name)
	begun, closed := j.cond.lifetime()
	switch {
	case closed:
		return nil, ErrClosed
	case c == nil:
		c = cursor.New(j.fs, j.path(cursor.Prefix+name), name, j.who.ID)
		if info, err := j.fs.Stat(c.Path); err == nil && info.Kind != "" {
			return nil, &os.PathError{Op: "open", Path: c.Path, Err: vfs.Irregular(info.Kind)}
		}
		c.Reset(j.index.start(start))
	case c.Broken():
		c.Reset(j.index.start(FromOldest))
	default:
		return c, nil
	}
	if begun { // else with the first use
		if err := c.Flush(false); err != nil {
			return nil, err
		}
	}
	j.cursors.Add(c)
	return c, nil
}

// findPosition reads a cursor that could not be read before.
func (r *Reader) findPosition() error {
	if !r.lost {
		return nil
	}
	c := r.cursor
	saved := cursor.ReadSaved(r.j.fs, c.Path)
	r.failures++
	if errors.Is(saved.Err, os.ErrNotExist) || errors.Is(saved.Err, unix.EIO) && r.failures >= readRetries {
		saved = cursor.Saved{} // begin with the oldest record: that repeats records, but does not lose any
	}
	if c.Take(&saved); saved.Err != nil {
		return fmt.Errorf("read the cursor: %w; make %s readable for the user of this process, "+
			"or remove it to begin with the oldest event", saved.Err, c.Path)
	}
	if c.Broken() || c.Position().Next > r.j.index.next() {
		r.j.damage.Add(func(c *damage.Counts) { c.Cursors++ })
		r.j.log.Error("a cursor cannot be used; its reader begins again with the oldest record", "file", c.Path)
		c.Reset(r.j.index.start(FromOldest))
	}
	r.Position, r.failures, r.lost = c.Position(), 0, false
	return nil
}

// start returns where a new reader begins.
func (x *index) start(start Start) segment.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	if start == FromEnd || len(x.segments) == 0 {
		return x.Position
	}
	at := segment.Position{Next: x.segments[0].first, Index: segment.UnknownIndex}
	if x.segments[0].sure {
		at.Index = x.segments[0].index
	}
	return at
}

// indexBefore returns the index in the header of the segment that begins with first, or
// UnknownIndex.
func (j *Journal) indexBefore(first uint64) uint64 {
	h := layout.ReadHeader(j.fs, j.path(segment.Name(first)))
	if h.OK && h.Identity == j.who && h.First == first {
		return h.Index
	}
	return segment.UnknownIndex
}
