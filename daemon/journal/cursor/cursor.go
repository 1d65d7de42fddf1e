// SPDX-License-Identifier: Apache-2.0

// Package cursor stores how far each reader of a journal has read.
package cursor

import (
	"errors"
	"sync"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Prefix begins the name of a cursor's file.
const Prefix = "cursor-"

// ErrClosed is wrapped by the error of Move after Release.
var ErrClosed = errors.New("journal is closed")

// A Cursor is how far one reader has read: messages before it need not be kept for that
// reader. It is safe for concurrent use. Of its locks, syncing is taken before writing,
// and writing before mu.
type Cursor struct {
	Name string
	Path string

	fs vfs.FS
	id uint64 // of the journal

	syncing sync.Mutex // held during an fsync, and before writing
	writing sync.Mutex // guards slots and ended; not held during an fsync
	slots   *slot.File // nil until the first write
	ended   bool       // Release was called: nothing is written any more

	mu      sync.Mutex // guards what follows
	at      segment.Position
	durable segment.Position
	written segment.Position
	unborn  bool  // the file does not exist yet, or must be replaced
	broken  bool  // the file is damaged, so the position is not known
	unread  error // the file could not be read, so the position is not known

	open   bool // it has a reader; guarded by the lock of the Set
	pinned bool // no limit may remove messages that the reader has not passed; likewise
}

// New returns a cursor without a position, of the journal with that id.
func New(fs vfs.FS, path, name string, id uint64) *Cursor {
	return &Cursor{Name: name, Path: path, fs: fs, id: id}
}

// Take sets the position to the content of the file.
func (c *Cursor) Take(saved *Saved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread, c.broken = saved.Err, false
	if c.unread != nil {
		return
	}
	at, ours := Parse(saved.Value, c.id)
	if c.broken = !saved.OK || !ours; c.broken {
		return
	}
	c.at, c.written, c.unborn = at, at, false
}

// Reset sets the position, and replaces the file with the next write.
func (c *Cursor) Reset(at segment.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.durable, c.written, c.unborn, c.broken, c.unread = at, at, at, true, false, nil
}

// Usable reports whether the cursor has a position.
func (c *Cursor) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && c.unread == nil
}

// Broken reports whether the file is damaged.
func (c *Cursor) Broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// reached returns the position, or the durable position. A cursor without a file starts
// with the oldest record if the process ends, so it retains nothing durably. The caller
// holds mu.
func (c *Cursor) reached(durably bool) segment.Position {
	switch {
	case c.broken || c.unread != nil:
		return segment.Position{}
	case durably && !c.unborn:
		return c.durable
	}
	return c.at
}

// Passed returns the number of the first message that the reader still needs, now or
// durably.
func (c *Cursor) Passed(durably bool) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached(durably).Next
}

// Beyond reports whether the cursor has passed all messages before the number end. It has
// also done so if it has passed all messages that exist, and a gap in the numbers follows.
func (c *Cursor) Beyond(end, all uint64, durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.reached(durably)
	return at.Next >= end || at.Next > 0 && at.Index == all
}

// Position returns the position.
func (c *Cursor) Position() segment.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Move sets and writes the position, so that the end of the process repeats at most one
// batch. A position before the present one is ignored. Move does not wait for a running
// fsync. If the write fails, the next Move or Flush writes the position.
func (c *Cursor) Move(to segment.Position) error {
	c.mu.Lock()
	if to.Next > c.at.Next {
		c.at = to
	} else if c.at == c.written {
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write()
}

// Pending reports whether the position has to be written, or to be made durable.
func (c *Cursor) Pending(durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && c.unread == nil && (c.unborn || c.at != c.written || durably && c.at != c.durable)
}

// ready opens the file for writing. It creates a file that does not exist or cannot be
// used. The caller holds writing.
func (c *Cursor) ready() error {
	if c.ended {
		return ErrClosed
	}
	if c.slots != nil {
		return nil
	}
	c.mu.Lock()
	at, unborn := c.at, c.unborn
	c.mu.Unlock()
	if !unborn {
		// If this fails the file is created again: its content is known.
		slots, value, ok, err := slot.Open(c.fs, c.Path)
		if saved, ours := Parse(value, c.id); err == nil && ok && ours {
			c.slots = slots
			c.mu.Lock()
			c.durable = saved
			c.mu.Unlock()
			return nil
		}
		if err == nil {
			slots.Close() // it is replaced
		}
	}
	slots, err := slot.Create(c.fs, c.Path, Encode(at, c.id))
	if err != nil {
		return err
	}
	c.slots = slots
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable, c.written, c.unborn = at, at, false
	return nil
}

// write writes the position if it has changed. The caller holds writing.
func (c *Cursor) write() error {
	if err := c.ready(); err != nil {
		return err
	}
	c.mu.Lock()
	at, written := c.at, c.written
	c.mu.Unlock()
	if at == written {
		return nil
	}
	if err := c.slots.Write(Encode(at, c.id)); err != nil {
		return err
	}
	c.mu.Lock()
	c.written = at
	c.mu.Unlock()
	return nil
}

// Flush writes the position and, if durable is true, makes it durable.
func (c *Cursor) Flush(durable bool) error {
	if !c.Pending(durable) {
		return nil
	}
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.write(); err != nil || !durable {
		return err
	}
	begun, err := c.slots.BeginSync()
	if err != nil {
		return err
	}
	reached := c.written
	if begun {
		c.writing.Unlock()
		err = c.slots.Fsync() // the file stays open, because syncing is held
		c.writing.Lock()
		if err = c.slots.EndSync(err); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.durable = reached
	c.mu.Unlock()
	return nil
}

// Release closes the file. A later commit, by a reader that did not return in time, must
// not write to another file that now has the descriptor's number.
func (c *Cursor) Release() {
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.ended = true
	if c.slots != nil {
		c.slots.Close() // flushed, or not needed
		c.slots = nil
	}
}

// Unread returns the error of Take if the file could not be read.
func (c *Cursor) Unread() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unread
}

// Discard treats the file as damaged.
func (c *Cursor) Discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken, c.at = true, segment.Position{}
}

// Skip moves the position over a gap in the numbers. It is not written before the next
// Move or Flush.
func (c *Cursor) Skip(to segment.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = to
}
