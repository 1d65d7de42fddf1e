// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"math"
	"time"
)

// Trim takes the reader and its cursor forward over whole batches, until no more
// than maxBytes of the journal are left to read (0 is no limit) and the next batch
// was received at oldest or later (a time of Options.Steady; the zero time is no limit). dropped is exactly
// how many records that passes over, damaged and removed ones among them: no Read
// counts them again. Segments that go as a whole are not read: the last time that stands
// in one decides. It costs next to
// nothing when there is nothing to drop.
//
// What was read before should have been committed: the cursor moves past it. The
// error is a disk's; what was dropped until then is, the rest is next time.
func (r *Reader) Trim(maxBytes int64, oldest time.Time) (dropped uint64, err error) {
	if maxBytes <= 0 {
		maxBytes = math.MaxInt64
	}
	if err := r.findPlace(); err != nil {
		return 0, err
	}
	if err := r.findIndex(); err != nil || r.index == unknownIndex {
		return 0, err
	}
	before := r.position
	r.passSegments(maxBytes, oldest)
	err = r.passFrames(maxBytes, oldest)
	if r.next == before.next {
		return 0, err
	}
	if r.left > 0 {
		r.position, r.jumped = r.place(), false
	}
	if r.index > before.index {
		dropped = r.index - before.index
	}
	return dropped, errors.Join(err, r.commit(r.position))
}

// findIndex sees to it that the reader's index is known, if there is a record.
func (r *Reader) findIndex() error {
	if r.index != unknownIndex {
		return nil
	}
	found, err := r.nextOfAny()
	if found {
		r.position = r.place()
	}
	return err
}

// nextOfAny is nextFrame, but the end of a sealed journal is no error.
func (r *Reader) nextOfAny() (found bool, err error) {
	if r.left > 0 {
		return true, nil
	}
	found, err = r.nextFrame()
	if isEOF(err) {
		err = nil
	}
	return found, err
}

// passSegments goes to the first segment that may hold a frame to keep, or to the
// newest.
func (r *Reader) passSegments(maxBytes int64, oldest time.Time) {
	first := r.keptSegment(maxBytes, oldest)
	if first == 0 {
		return
	}
	r.leave()
	r.left, r.next, r.jumped = 0, first, true
	if index := r.j.indexBefore(first); index != unknownIndex {
		r.index, r.jumped = index, false
	}
}

// keptSegment returns the number that this segment begins with, 0 when the reader
// is in it.
func (r *Reader) keptSegment(maxBytes int64, oldest time.Time) (first uint64) {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	at := max(j.locate(r.next), 0)
	behind := j.bytesFrom(at + 1)
	for at+1 < len(j.segments) && (behind >= maxBytes || !oldest.IsZero() && j.opts.Steady(j.segments[at].used).Before(oldest)) {
		at++
		behind -= j.segments[at].size
		first = j.segments[at].first
	}
	return first
}

// passFrames goes to the first frame to keep, or to the end. It reads none as
// long as no limit can be exceeded and it is known how many records were passed.
func (r *Reader) passFrames(maxBytes int64, oldest time.Time) error {
	for r.left > 0 || r.jumped || !oldest.IsZero() || r.unread() > maxBytes {
		if found, err := r.nextOfAny(); !found {
			return err
		}
		if r.unread() <= maxBytes && (oldest.IsZero() || !r.j.opts.Steady(r.frame.Received()).Before(oldest)) {
			return nil
		}
		r.position = position{r.frame.End(), r.frame.Index + r.frame.Count}
		r.left, r.jumped = 0, false
	}
	return nil
}

// unread returns how many bytes there are from the frame at hand, or else from the
// next one, to the end of the journal. It is too much by less than a segment when
// the reader's segment has been removed or replaced.
func (r *Reader) unread() int64 {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	s := r.segment
	if s == nil || s.gone || r.scan.Off > s.size {
		return j.bytesFrom(max(j.locate(r.next), 0))
	}
	off := r.scan.Off
	if r.left > 0 {
		off -= r.frame.Length
	}
	return j.bytesFrom(j.locate(s.first)) - off
}

// bytesFrom returns the size of the segments from that place of the list on. The
// caller holds mu.
func (j *Journal) bytesFrom(at int) (bytes int64) {
	for _, s := range j.segments[min(at, len(j.segments)):] {
		bytes += s.size
	}
	return bytes
}

// Lag returns how many bytes of the journal lie behind the last record committed.
// Within its segment all numbers are taken to hold equally much.
func (r *Reader) Lag() int64 {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	done := r.cursor.place()
	at := j.locate(done.next)
	switch {
	case done.index == j.index: // also where the numbers have a gap
		return 0
	case at < 0:
		return j.bytes
	}
	s, end := j.segments[at], j.last+1
	if at+1 < len(j.segments) {
		end = j.segments[at+1].first
	}
	behind := j.bytesFrom(at + 1)
	if done.next < end {
		behind += int64(float64(s.size) * (float64(end-done.next) / float64(end-s.first)))
	}
	return behind
}
