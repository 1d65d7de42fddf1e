// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// cursor returns the cursor of that name, and makes it if need be. The caller
// holds syncMu.
func (j *Journal) cursor(name string, start Start) (*cursor, error) {
	j.mu.Lock()
	c, closed, begun := j.cursors[name], j.closed, j.begun
	j.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case c == nil:
		c = &cursor{name: name, path: j.path(cursorPrefix + name), fs: j.fs, id: j.who.ID}
		if info, err := j.fs.Stat(c.path); err == nil && info.Kind != "" {
			return nil, &os.PathError{Op: "open", Path: c.path, Err: vfs.Irregular(info.Kind)}
		}
		c.reset(j.startOf(start))
	case c.isBroken():
		c.reset(j.startOf(FromOldest))
	default:
		return c, nil
	}
	if begun { // else with the first use
		if err := c.flush(false); err != nil {
			return nil, err
		}
	}
	j.mu.Lock()
	j.cursors[name] = c
	j.mu.Unlock()
	return c, nil
}

// findPlace reads a cursor that could not be read before.
func (r *Reader) findPlace() error {
	if !r.lost {
		return nil
	}
	c := r.cursor
	var saved savedCursor
	saved.value, saved.ok, saved.err = slot.Read(c.fs, c.path)
	r.failures++
	if errors.Is(saved.err, os.ErrNotExist) || errors.Is(saved.err, unix.EIO) && r.failures >= readRetries {
		saved = savedCursor{} // to begin with the oldest repeats, and loses nothing
	}
	if c.take(&saved); saved.err != nil {
		return fmt.Errorf("read the cursor: %w; make %s readable for the user of this process, or remove it to begin with the oldest event", saved.err, c.path)
	}
	r.j.mu.Lock()
	next := r.j.next
	r.j.mu.Unlock()
	if c.isBroken() || c.place().next > next {
		r.j.countCursor()
		r.j.log.Error("a cursor cannot be used; its reader begins again with the oldest record", "file", c.path)
		c.reset(r.j.startOf(FromOldest))
	}
	r.position, r.failures, r.lost = c.place(), 0, false
	return nil
}

// startOf returns where a new reader begins.
func (j *Journal) startOf(start Start) position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if start == FromEnd || len(j.segments) == 0 {
		return j.position
	}
	at := position{j.segments[0].first, unknownIndex}
	if j.segments[0].sure {
		at.index = j.segments[0].index
	}
	return at
}

// indexBefore returns the index that the header of the segment tells which begins
// with first, unknownIndex when it tells none.
func (j *Journal) indexBefore(first uint64) uint64 {
	h := readHeader(j.fs, j.path(segment.Name(first)))
	if h.ok && h.Identity == j.who && h.First == first {
		return h.Index
	}
	return unknownIndex
}
