// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A retention removes segments. It does not have a lock: its callers hold that of the writer or of
// the syncer, so that Append does not wait while the maintainer makes cursors durable.
// Both may remove the same segment at the same time.
type retention struct {
	*env
	cond    *condition
	state   *state.File
	cursors *cursor.Set
	damage  *damage.Log
	index   *index
}

// makeRoom removes the oldest segments until length more bytes fit into the size limit.
func (t *retention) makeRoom(length int64) error {
	limit := t.options.Load().MaxBytes
	for {
		t.index.mu.Lock()
		var oldest *logSegment
		var end uint64
		if limit > 0 && t.index.bytes+length > limit && len(t.index.segments) > 1 {
			oldest, end = t.index.segments[0], t.index.segments[1].first
		}
		t.index.mu.Unlock()
		if oldest == nil {
			return nil
		}
		if err := t.unpinned(end); err != nil {
			return err
		}
		if t.remove(oldest) != nil {
			return nil
		}
	}
}

// unpinned returns an error while a pinned reader may still need a record before the
// number end. If a reader has passed it, but not durably, the cursor is made durable:
// otherwise a power cut would move the reader back.
func (t *retention) unpinned(end uint64) error {
	all := t.index.count()
	for _, c := range t.cursors.Pinned() {
		if !c.Beyond(end, all, false) {
			return fmt.Errorf("%w of records that reader %q still needs; repair its destination, "+
				"or set overflow: drop for it, or increase max_bytes", ErrFull, c.Name)
		}
		if !c.Beyond(end, all, true) {
			if err := c.Flush(true); err != nil {
				return fmt.Errorf("write cursor %s: %w", c.Path, err)
			}
		}
	}
	return nil
}

// removeOld removes the segments that exceed the age limit.
func (t *retention) removeOld() {
	limit := t.options.Load().MaxAge
	for limit > 0 && t.cond.isUsed() {
		t.index.mu.Lock()
		var oldest *logSegment
		var end uint64
		if len(t.index.segments) > 1 && t.age(t.index.segments[0].used) > limit {
			oldest, end = t.index.segments[0], t.index.segments[1].first
		}
		t.index.mu.Unlock()
		if oldest == nil || t.unpinned(end) != nil || t.remove(oldest) != nil {
			return
		}
	}
}

// removeExcess removes the segments that exceed a size limit that has become smaller.
func (t *retention) removeExcess() {
	if t.cond.isUsed() {
		_ = t.makeRoom(0) // a reader needs the rest: Append returns that error
	}
}

// removeConsumed removes the segments that all cursors have passed. It makes the cursors
// durable first: if one fell back behind a removed segment, records that were delivered
// would count as dropped. On a full disk one segment may have to be removed before that.
func (t *retention) removeConsumed() error {
	for {
		oldest := t.consumed(false)
		if oldest == nil {
			return nil
		}
		err := t.cursors.Flush(true)
		if vfs.IsFull(err) {
			return errors.Join(err, t.remove(oldest))
		}
		if oldest = t.consumed(true); oldest == nil {
			return err
		}
		if err := t.remove(oldest); err != nil {
			return err
		}
	}
}

// consumed returns the oldest segment if all cursors have passed it. It never returns the
// newest segment, which contains the last generation.
func (t *retention) consumed(durably bool) *logSegment {
	t.index.mu.Lock()
	var oldest *logSegment
	var end uint64
	if len(t.index.segments) > 1 {
		oldest, end = t.index.segments[0], t.index.endOf(0, t.index.Next)
	}
	t.index.mu.Unlock()
	if oldest == nil || !t.cursors.Passed(end, durably) {
		return nil
	}
	return oldest
}

// remove deletes a segment that is not the newest.
func (t *retention) remove(s *logSegment) error {
	t.state.NoteEnds(t.index.after(s), 0)
	if err := t.fs.Remove(t.segmentPath(s)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if why := t.damage.Forget(s.first); why != nil {
		t.log.Error("a limit has removed a segment that could not be read", "file", t.segmentPath(s), "bytes", s.size, "error", why)
	}
	t.forget(s)
	return nil
}

// forget removes a segment from the index. It reports false if that was done before.
func (t *retention) forget(s *logSegment) bool {
	forgotten := t.index.forget(s)
	if forgotten {
		t.work.set()
	}
	return forgotten
}

// missing forgets a segment that something else has removed.
func (t *retention) missing(s *logSegment) {
	if t.forget(s) {
		t.damage.Add(func(c *damage.Counts) { c.Missing++ })
		t.log.Error("a segment of the journal was removed by something else; its records are missing", "file", t.segmentPath(s), "bytes", s.size)
	}
	_ = t.damage.Forget(s.first) // the error was logged
}

// stray forgets a file that is not a segment of this journal, and does not change it.
func (t *retention) stray(s *logSegment, why error) {
	if t.forget(s) {
		t.damage.Add(func(c *damage.Counts) { c.Strays++ })
		t.log.Error("a file in the journal is left alone: no record is missing without it", "file", t.segmentPath(s), "reason", why)
	}
	_ = t.damage.Forget(s.first) // the error was logged
}
