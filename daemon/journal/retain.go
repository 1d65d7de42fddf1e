// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// locate returns the place of the segment that holds number seq, or would: the
// last one that does not begin after it; -1 when all do. The caller holds mu.
func (j *Journal) locate(seq uint64) int {
	return sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > seq }) - 1
}

// endOf returns the number that no record of the segment at that place reaches: the
// next one that is sure of its beginning tells it. limit is of the last. The caller
// holds mu.
func (j *Journal) endOf(at int, limit uint64) uint64 {
	for _, s := range j.segments[at+1:] {
		if s.sure {
			return s.first
		}
	}
	return limit
}

// tooOld reports whether the age limit calls for a new segment, so that the old
// one can go.
func (j *Journal) tooOld(s *logSegment) bool {
	return j.opts.MaxAge > 0 && j.age(s.began) > j.opts.MaxAge
}

// age returns how long ago the clock showed t.
func (j *Journal) age(t time.Time) time.Duration {
	return j.opts.Steady(j.opts.Now()).Sub(j.opts.Steady(t))
}

// makeRoom removes the oldest segments that stand against the size limit. The
// caller holds appendMu or syncMu.
func (j *Journal) makeRoom(length int64) error {
	for {
		j.mu.Lock()
		var oldest *logSegment
		var end uint64
		if j.opts.MaxBytes > 0 && j.bytes+length > j.opts.MaxBytes && len(j.segments) > 1 {
			oldest, end = j.segments[0], j.segments[1].first
		}
		j.mu.Unlock()
		if oldest == nil {
			return nil
		}
		if err := j.unpinned(end); err != nil {
			return err
		}
		if j.remove(oldest) != nil {
			return nil
		}
	}
}

// unpinned returns an error as long as a pinned reader may still need a record
// before number end. A reader that has passed it, but not durably, is made to: a
// power cut would let it fall back.
func (j *Journal) unpinned(end uint64) error {
	pins, all := j.pins()
	for _, c := range pins {
		if !c.beyond(end, all, false) {
			return fmt.Errorf("%w of records that reader %q has not taken and must not lose: "+
				"it must take some, or be allowed to lose them (overflow: drop), or the journal must be larger (max_bytes)", ErrFull, c.name)
		}
		if !c.beyond(end, all, true) {
			if err := c.flush(true); err != nil {
				return fmt.Errorf("write cursor %s: %w", j.path(cursorPrefix+c.name), err)
			}
		}
	}
	return nil
}

// pins returns the cursors of pinned readers, and the index that one has which has
// passed everything.
func (j *Journal) pins() (pinned []*cursor, all uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cursors {
		if c.pinned {
			pinned = append(pinned, c)
		}
	}
	return pinned, j.index
}

// removeOld removes the segments that are older than the age limit.
func (j *Journal) removeOld() {
	for j.opts.MaxAge > 0 {
		j.mu.Lock()
		var oldest *logSegment
		var end uint64
		if j.used && len(j.segments) > 1 && j.age(j.segments[0].used) > j.opts.MaxAge {
			oldest, end = j.segments[0], j.segments[1].first
		}
		j.mu.Unlock()
		if oldest == nil || j.unpinned(end) != nil || j.remove(oldest) != nil {
			return
		}
	}
}

// removeExcess removes what the size limit does not allow any more, after it has become
// smaller.
func (j *Journal) removeExcess() {
	j.mu.Lock()
	used := j.used
	j.mu.Unlock()
	if used {
		_ = j.makeRoom(0) // a reader needs the rest: Append says so
	}
}

// removeConsumed removes the segments that all cursors have passed. The cursors
// are made durable first: one that fell back behind a removed segment would
// count as dropped what was delivered. On a disk that is full that may have to wait
// until one segment is gone.
func (j *Journal) removeConsumed() error {
	for {
		oldest := j.consumed(false)
		if oldest == nil {
			return nil
		}
		err := j.flushCursors(true)
		if vfs.IsFull(err) {
			return errors.Join(err, j.remove(oldest))
		}
		if oldest = j.consumed(true); oldest == nil {
			return err
		}
		if err := j.remove(oldest); err != nil {
			return err
		}
	}
}

// consumed returns the oldest segment if all cursors have passed it. The newest
// one is never returned: it tells the last generation.
func (j *Journal) consumed(durably bool) *logSegment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) < 2 || len(j.cursors) == 0 {
		return nil
	}
	end := j.endOf(0, j.next)
	for _, c := range j.cursors {
		if c.passed(durably) < end {
			return nil
		}
	}
	return j.segments[0]
}

// remove deletes a segment that is not the newest.
func (j *Journal) remove(s *logSegment) error {
	j.mu.Lock()
	next := uint64(0)
	if at := j.locate(s.first) + 1; at < len(j.segments) {
		next = j.segments[at].first
	}
	j.mu.Unlock()
	j.noteEnds(next, 0)
	if err := j.fs.Remove(j.segmentPath(s)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	name := segment.Name(s.first)
	j.mu.Lock()
	why := j.unread[name]
	delete(j.unread, name)
	j.mu.Unlock()
	if why != nil {
		j.log.Error("a limit has removed a segment that could not be read", "file", j.path(name), "bytes", s.size, "error", why)
	}
	j.forget(s)
	return nil
}

// forget takes a segment off the list.
func (j *Journal) forget(s *logSegment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := j.locate(s.first)
	if at < 0 || j.segments[at] != s {
		return
	}
	s.gone = true
	j.bytes -= s.size
	j.segments = append(j.segments[:at], j.segments[at+1:]...)
	j.dirDirty = true
	if s.file != nil {
		j.orphans = append(j.orphans, s)
	}
	j.work()
}
