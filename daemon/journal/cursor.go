// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	cursorPrefix  = "cursor-"
	maxCursorName = 128
)

// A cursor is how far one reader's records need not be kept.
type cursor struct {
	name  string
	slots *slotFile // guarded by writing
	id    uint64    // of the journal

	syncing sync.Mutex // held while making slots durable, and before writing
	writing sync.Mutex // held while using slots, but not for the wait of an fsync

	mu      sync.Mutex
	at      position
	durable position
	written position
	open    bool // a reader has it; guarded by the journal's mu
	pinned  bool // and demands that no limit takes anything from it; likewise

	broken bool // the file cannot be used: it holds all records back until there is a reader
}

func (p position) encode(id uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, slotValueLen)
	for _, v := range []uint64{id, p.next, p.index} {
		b = le.AppendUint64(b, v)
	}
	return b
}

// parsePosition returns ok false for the cursor of another journal.
func parsePosition(b []byte, id uint64) (p position, ok bool) {
	if len(b) != slotValueLen || binary.LittleEndian.Uint64(b) != id {
		return position{}, false
	}
	return position{binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}, true
}

func checkCursorName(name string) error {
	ok := name != "" && len(name) <= maxCursorName && !strings.HasSuffix(name, tempSuffix)
	for _, c := range name {
		ok = ok && (c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	if !ok {
		return fmt.Errorf("reader name %q: want 1 to %d letters, digits, '-', '_' or '.', not ending in %q", name, maxCursorName, tempSuffix)
	}
	return nil
}

// openCursor reads the cursor of a file that is there.
func openCursor(fs FS, path string, id uint64) (*cursor, error) {
	c := &cursor{name: strings.TrimPrefix(filepath.Base(path), cursorPrefix), id: id}
	slots, value, ok, err := openSlots(fs, path, unix.O_RDWR)
	if ok && err == nil {
		c.at, ok = parsePosition(value, id)
	}
	if err != nil && !errors.Is(err, unix.EIO) {
		return nil, err
	}
	c.slots, c.broken = slots, err != nil || !ok
	c.durable, c.written = c.at, c.at
	if c.broken {
		c.release() // NewReader makes another
	}
	return c, nil
}

// passed returns the number of the first message that the cursor's reader needs.
func (c *cursor) passed(durably bool) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if durably {
		return c.durable.next
	}
	return c.at.next
}

// beyond reports whether the cursor has passed all before number end: also when it has
// passed as many as all are, and the numbers behind them have a gap.
func (c *cursor) beyond(end, all uint64, durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.at
	if durably {
		at = c.durable
	}
	return at.next >= end || at.index == all
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
	if to.next <= c.at.next {
		c.mu.Unlock()
		return nil
	}
	c.at = to
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write()
}

// pending reports whether there is something to write, or to make durable.
func (c *cursor) pending(durably bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && (c.at != c.written || durably && c.at != c.durable)
}

// write writes the cursor if it has moved. The caller holds writing.
func (c *cursor) write() error {
	c.mu.Lock()
	at, written := c.at, c.written
	c.mu.Unlock()
	if at == written {
		return nil
	}
	if c.slots == nil {
		return ErrClosed
	}
	if err := c.slots.write(at.encode(c.id)); err != nil {
		return err
	}
	c.mu.Lock()
	c.written = at
	c.mu.Unlock()
	return nil
}

// flush writes the cursor and, if asked to, makes it durable.
func (c *cursor) flush(durable bool) error {
	if c.broken {
		return nil
	}
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.write(); err != nil || !durable || c.slots == nil {
		return err
	}
	begun, err := c.slots.beginSync()
	if err != nil {
		return err
	}
	reached := c.written
	if begun {
		c.writing.Unlock()
		err = c.slots.file.Sync() // syncing keeps it from being closed
		c.writing.Lock()
		if err = c.slots.endSync(err); err != nil {
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
	if c.slots != nil {
		c.slots.file.Close() // flushed, or of no use
		c.slots = nil
	}
}

func (j *Journal) allCursors() []*cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	cursors := make([]*cursor, 0, len(j.cursors))
	for _, c := range j.cursors {
		cursors = append(cursors, c)
	}
	return cursors
}

func (j *Journal) flushCursors(durable bool) error {
	var errs []error
	for _, c := range j.allCursors() {
		if err := c.flush(durable); err != nil {
			errs = append(errs, fmt.Errorf("write cursor %s: %w", j.path(cursorPrefix+c.name), err))
		}
	}
	return errors.Join(errs...)
}

// Cursors returns the names of the cursors in the journal. All of them keep
// records from being removed, also those that no reader has.
func (j *Journal) Cursors() []string {
	cursors := j.allCursors()
	names := make([]string, 0, len(cursors))
	for _, c := range cursors {
		names = append(names, c.name)
	}
	return names
}

// RemoveCursor forgets the cursor of a reader that will not come back.
func (j *Journal) RemoveCursor(name string) error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	j.mu.Lock()
	c := j.cursors[name]
	if c == nil || c.open {
		j.mu.Unlock()
		return fmt.Errorf("journal %s: no cursor %q without a reader", j.dir, name)
	}
	delete(j.cursors, name)
	j.dirDirty = true
	j.mu.Unlock()
	j.work()
	c.release()
	return j.fs.Remove(j.path(cursorPrefix + name))
}
