// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// A Position is a place in the journal: the number of the next record, and its index.
type Position = segment.Position

// UnknownIndex is the index of a Position that is not known.
const UnknownIndex = segment.UnknownIndex

// A Follower reads the journal for an observer. It works without a cursor, so it does not retain records. It
// changes no file, and does not count damage. It may retain the blocks of one removed segment.
// One goroutine uses it.
type Follower struct{ r Reader }

// Follow returns a Follower whose first record is the one at that position, or the first
// readable record after it.
func (j *Journal) Follow(at Position) *Follower {
	f := &Follower{Reader{j: j, wake: make(signal, 1), Position: at}}
	f.r.scan.Mark, f.r.scan.Lenient = j.who.Mark, true
	j.readers.add(&f.r)
	return f
}

// End returns the position of the next record that is appended.
func (j *Journal) End() Position { return j.index.start(FromEnd) }

// Beginning returns the position of the oldest record.
func (j *Journal) Beginning() Position { return j.index.start(FromOldest) }

// Since returns a position before all records that were received at or after t, except for
// those of an earlier segment that was received later because the clock was set back.
func (j *Journal) Since(t time.Time) Position { return j.index.since(t.Add(-fileTimeGrain)) }

func (x *index) since(t time.Time) Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.segments {
		switch {
		case s.used.Before(t):
		case s.sure:
			return Position{Next: s.first, Index: s.index}
		default:
			return Position{Next: s.first, Index: UnknownIndex}
		}
	}
	return x.Position
}

// Wait waits until records may have been appended after the last TryRead.
func (f *Follower) Wait(ctx context.Context) error {
	select {
	case <-f.r.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryRead stores the next records in records, and returns their number n, which is 0 if all
// records were read. Their Data is valid until the next TryRead. missed is the number of
// records between the last call and the first of records that were removed or damaged. The
// error is io.EOF at the end of a sealed journal, or that of a segment that cannot be read.
func (f *Follower) TryRead(records []Record) (n int, missed uint64, err error) {
	r := &f.r
	if r.left == 0 {
		if found, err := f.nextFrame(); !found {
			return 0, 0, err
		}
	}
	at := r.framePosition()
	if r.Index != UnknownIndex && at.Index > r.Index {
		missed = at.Index - r.Index
	}
	r.Position = at
	for ; n < len(records) && r.left > 0; n++ {
		records[n] = r.step()
	}
	return n, missed, nil
}

// nextFrame moves to the frame with the next record. found is false, without an error, if no
// such frame exists yet.
func (f *Follower) nextFrame() (found bool, err error) {
	r := &f.r
	for {
		if _, closed := r.j.cond.lifetime(); closed {
			return false, io.EOF
		}
		s, limit, end, err := r.where()
		if s == nil {
			return false, err
		}
		if s == r.segment {
			r.scan.Limit, r.scan.Max = limit, end
		} else if entered, err := f.enter(s, limit, end); !entered {
			if err != nil {
				return false, fmt.Errorf("read %s: %w", r.j.segmentPath(s), err)
			}
			continue
		}
		frame, err := r.scan.Next()
		switch {
		case isEOF(err):
		case err != nil:
			return false, fmt.Errorf("read %s: %w", r.j.segmentPath(s), err)
		case frame.End() > r.Next:
			return r.begin(frame)
		}
	}
}

// enter opens a segment. It reports false, and skips the segment, if the segment was removed.
func (f *Follower) enter(s *logSegment, limit int64, end uint64) (entered bool, err error) {
	r := &f.r
	file, err := r.j.fs.Open(r.j.segmentPath(s), unix.O_RDONLY)
	if next := r.j.index.after(s); errors.Is(err, os.ErrNotExist) && next > r.Next {
		r.leave() // the file is removed before the index forgets the segment
		r.Next = next
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.hold(s, file)
	r.scan.Reset(file, min(segment.HeaderLen, limit), limit, s.first, end)
	return true, nil
}

// Close closes the file that is open.
func (f *Follower) Close() {
	f.r.leave()
	f.r.j.readers.remove(&f.r)
}
