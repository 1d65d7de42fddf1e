// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"math"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// Trim moves the reader and its cursor forward over whole batches, until at most maxBytes
// of the journal are left to read (0 means unlimited) and the next batch was received at oldest
// or later (a time of Options.Steady; the zero time means unlimited). dropped is the exact
// number of records that were skipped, including damaged and removed records: no Read counts
// them again. Trim does not read a segment that it skips as a whole: the time of the newest
// record in it decides. Without anything to drop, Trim costs almost nothing.
//
// Records that were read should be committed before: the cursor moves past them. The error
// is that of the disk. It does not undo what was dropped until then; the next Trim drops the
// rest.
func (r *Reader) Trim(maxBytes int64, oldest time.Time) (dropped uint64, err error) {
	if maxBytes <= 0 {
		maxBytes = math.MaxInt64
	}
	if err := r.findPosition(); err != nil {
		return 0, err
	}
	if err := r.findIndex(); err != nil || r.Index == segment.UnknownIndex {
		return 0, err
	}
	before := r.Position
	r.passSegments(maxBytes, oldest)
	err = r.passFrames(maxBytes, oldest)
	if r.Next == before.Next {
		return 0, err
	}
	if r.left > 0 {
		r.Position, r.jumped = r.framePosition(), false
	}
	if r.Index > before.Index {
		dropped = r.Index - before.Index
	}
	return dropped, errors.Join(err, r.commit(r.Position))
}

// findIndex makes sure that the index of the position is known, if there is a record.
func (r *Reader) findIndex() error {
	if r.Index != segment.UnknownIndex {
		return nil
	}
	found, err := r.nextOfAny()
	if found {
		r.Position = r.framePosition()
	}
	return err
}

// nextOfAny is nextFrame, but the end of a sealed journal is not an error.
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

// passSegments moves to the first segment that may contain a frame to retain, or to the
// newest segment.
func (r *Reader) passSegments(maxBytes int64, oldest time.Time) {
	first := r.keptSegment(maxBytes, oldest)
	if first == 0 {
		return
	}
	r.leave()
	r.left, r.Next, r.jumped = 0, first, true
	if index := r.j.indexBefore(first); index != segment.UnknownIndex {
		r.Index, r.jumped = index, false
	}
}

// keptSegment returns the number that begins this segment, 0 if the reader is in it.
func (r *Reader) keptSegment(maxBytes int64, oldest time.Time) (first uint64) {
	j := r.j
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	at := max(j.index.locate(r.Next), 0)
	behind := j.index.bytesFrom(at + 1)
	for at+1 < len(j.index.segments) && (behind >= maxBytes || !oldest.IsZero() && j.steady(j.index.segments[at].used).Before(oldest)) {
		at++
		behind -= j.index.segments[at].size
		first = j.index.segments[at].first
	}
	return first
}

// passFrames moves to the first frame to retain, or to the end. It reads no frame if no
// limit can be exceeded and the number of records that were passed is known.
func (r *Reader) passFrames(maxBytes int64, oldest time.Time) error {
	for r.left > 0 || r.jumped || !oldest.IsZero() || r.unread() > maxBytes {
		if found, err := r.nextOfAny(); !found {
			return err
		}
		if r.unread() <= maxBytes && (oldest.IsZero() || !r.j.steady(r.frame.Received()).Before(oldest)) {
			return nil
		}
		r.Position = segment.Position{Next: r.frame.End(), Index: r.frame.Index + r.frame.Count}
		r.left, r.jumped = 0, false
	}
	return nil
}

// unread returns the number of bytes from the present frame, or else from the next frame,
// to the end of the journal. If the segment of the reader was removed or replaced, the
// result is too large by less than a segment.
func (r *Reader) unread() int64 {
	j := r.j
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	s := r.segment
	if s == nil || s.gone || r.scan.Off > s.size {
		return j.index.bytesFrom(max(j.index.locate(r.Next), 0))
	}
	off := r.scan.Off
	if r.left > 0 {
		off -= r.frame.Length
	}
	return j.index.bytesFrom(j.index.locate(s.first)) - off
}

// Lag returns how many bytes of the journal follow the last committed record. Within a
// segment it assumes that all records have the same length.
func (r *Reader) Lag() int64 {
	j := r.j
	done := r.cursor.Position()
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	at := j.index.locate(done.Next)
	switch {
	case done.Index == j.index.Index: // also if a gap in the numbers follows
		return 0
	case at < 0:
		return j.index.bytes
	}
	s, end := j.index.segments[at], j.index.last+1
	if at+1 < len(j.index.segments) {
		end = j.index.segments[at+1].first
	}
	behind := j.index.bytesFrom(at + 1)
	if done.Next < end {
		behind += int64(float64(s.size) * (float64(end-done.Next) / float64(end-s.first)))
	}
	return behind
}
