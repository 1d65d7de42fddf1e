// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/genltestd/genltestd/daemon/journal/slot"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	cursorPrefix  = "cursor-"
	maxCursorName = 128
)

// A cursor is how far one reader's records need not be kept.
type cursor struct {
	name  string
	path  string
	fs    vfs.FS
	id    uint64     // of the journal
	slots *slot.File // guarded by writing; nil until something is written
	ended bool       // likewise: nothing is written any more

	syncing sync.Mutex // held while making slots durable, and before writing
	writing sync.Mutex // held while using slots, but not for the wait of an fsync

	mu      sync.Mutex
	at      position
	durable position
	written position
	unborn  bool // there is no file yet, or one to be replaced
	open    bool // a reader has it; guarded by the journal's mu
	pinned  bool // and demands that no limit takes anything from it; likewise

	// Of one with neither a place nor a reader, which holds all records back.
	broken bool  // the file is damaged
	unread error // the file could not be read
}

func (p position) encode(id uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, slot.ValueLen)
	for _, v := range []uint64{id, p.next, p.index} {
		b = le.AppendUint64(b, v)
	}
	return b
}

// parsePosition returns ok false for the cursor of another journal.
func parsePosition(b []byte, id uint64) (p position, ok bool) {
	if len(b) != slot.ValueLen || binary.LittleEndian.Uint64(b) != id {
		return position{}, false
	}
	return position{binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}, true
}

func checkCursorName(name string) error {
	ok := name != "" && len(name) <= maxCursorName && !strings.HasSuffix(name, vfs.TempSuffix)
	for _, c := range name {
		ok = ok && (c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	if !ok {
		return fmt.Errorf("reader name %q: want 1 to %d letters, digits, '-', '_' or '.', not ending in %q", name, maxCursorName, vfs.TempSuffix)
	}
	return nil
}

// take makes the cursor what its file says.
func (c *cursor) take(saved *savedCursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unread, c.broken = saved.err, false
	if c.unread != nil {
		return
	}
	at, ours := parsePosition(saved.value, c.id)
	if c.broken = !saved.ok || !ours; c.broken {
		return
	}
	c.at, c.written, c.unborn = at, at, false
}

// reset makes the cursor one that is not written yet.
func (c *cursor) reset(at position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.durable, c.written, c.unborn, c.broken, c.unread = at, at, at, true, false, nil
}

// usable reports whether the cursor has a place.
func (c *cursor) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && c.unread == nil
}

func (c *cursor) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// reached returns where the cursor is, or is durably. One that has no file begins with
// the oldest record should the process end: it holds nothing back durably. The caller
// holds mu.
func (c *cursor) reached(durably bool) position {
	switch {
	case c.broken || c.unread != nil:
		return position{}
	case durably && !c.unborn:
		return c.durable
	}
	return c.at
}

// passed returns the number of the first message that the cursor's reader needs.
func (c *cursor) passed(durably bool) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached(durably).next
}

// beyond reports whether the cursor has passed all before number end: also when it has
// passed as many as all are, and the numbers behind them have a gap.
func (c *cursor) beyond(end, all uint64, durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.reached(durably)
	return at.next >= end || at.next > 0 && at.index == all
}

// place returns the position of that message.
func (c *cursor) place() position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// move sets and writes the cursor, so that the end of the process repeats no more
// than one batch. It does not wait for an fsync that is under way.
func (c *cursor) move(to position) error {
	c.mu.Lock()
	if to.next > c.at.next {
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

// pending reports whether there is something to write, or to make durable.
func (c *cursor) pending(durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && c.unread == nil && (c.unborn || c.at != c.written || durably && c.at != c.durable)
}

// ready opens the file for writing, and makes it when there is none that can be used.
// The caller holds syncing or writing alone, and writing.
func (c *cursor) ready() error {
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
		// When this fails the file is made anew: what it says is known.
		slots, value, ok, err := slot.Open(c.fs, c.path)
		if saved, ours := parsePosition(value, c.id); err == nil && ok && ours {
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
	slots, err := slot.Create(c.fs, c.path, at.encode(c.id))
	if err != nil {
		return err
	}
	c.slots = slots
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable, c.written, c.unborn = at, at, false
	return nil
}

// write writes the cursor if it has moved. The caller holds writing.
func (c *cursor) write() error {
	if err := c.ready(); err != nil {
		return err
	}
	c.mu.Lock()
	at, written := c.at, c.written
	c.mu.Unlock()
	if at == written {
		return nil
	}
	if err := c.slots.Write(at.encode(c.id)); err != nil {
		return err
	}
	c.mu.Lock()
	c.written = at
	c.mu.Unlock()
	return nil
}

// flush writes the cursor and, if asked to, makes it durable.
func (c *cursor) flush(durable bool) error {
	if !c.pending(durable) {
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
		err = c.slots.Fsync() // syncing keeps it from being closed
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

// release closes the file. A commit that comes later, from a reader that was
// given up, must not reach what has the descriptor's number then.
func (c *cursor) release() {
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.ended = true
	if c.slots != nil {
		c.slots.Close() // flushed, or of no use
		c.slots = nil
	}
}
