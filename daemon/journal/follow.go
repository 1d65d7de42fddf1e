// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// nextFrame goes to the frame that has the next message, or the first one
// after it. found is false, without an error, when there is none yet.
func (r *Reader) nextFrame() (found bool, err error) {
	for r.scan.peeked.length == 0 {
		more, err := r.locate()
		if !more {
			return false, err
		}
		f, err := r.scan.next()
		if isEOF(err) {
			continue // the segment's end
		}
		if err != nil {
			return false, r.failed(err)
		}
		r.failures = 0
		if f.end() > r.next {
			return r.begin(f)
		}
	}
	f, _ := r.scan.next() // it returns what was peeked
	return r.begin(f)
}

func (r *Reader) begin(f frame) (bool, error) {
	r.frame, r.left, r.rest = f, f.count, f.payload
	for r.left > 0 && r.place().next < r.next {
		_, r.rest = message(r.rest)
		r.left--
	}
	return true, nil
}

func (r *Reader) failed(err error) error {
	if !errors.Is(err, unix.EIO) {
		return fmt.Errorf("read %s: %w", r.j.segmentPath(r.segment), err)
	}
	r.failures++
	r.scan.lenient = r.failures >= readRetries
	return fmt.Errorf("read %s (%d times; after %d what cannot be read is skipped and counted as damage): %w",
		r.j.segmentPath(r.segment), r.failures, readRetries, err)
}

// locate makes sure that the scanner is where there is more to read. more is
// false, without an error, when there is nothing yet.
func (r *Reader) locate() (more bool, err error) {
	for {
		s, limit, end, err := r.where()
		if s == nil {
			return false, err
		}
		if s == r.segment {
			r.scan.limit, r.scan.max = limit, end
			return true, nil
		}
		if err := r.enter(s, limit, end); err == nil {
			return true, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		// Somebody has removed the file. What is missing is counted as damage.
		r.j.forget(s)
	}
}

// where returns the segment to read from, up to where it may be read, and the
// number that it ends before. The segment is nil when there is nothing to read.
func (r *Reader) where() (s *segment, limit int64, end uint64, err error) {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.used = true
	at := r.index0()
	if at >= 0 && at < len(j.segments) && j.segments[at] == r.segment && r.scan.off == r.segment.size {
		at++
	}
	if at < len(j.segments) && r.next < j.next {
		s, end = j.segments[at], j.next
		if at+1 < len(j.segments) {
			end = j.segments[at+1].first
		}
		return s, s.size, end, nil
	}
	if j.sealed {
		return nil, 0, 0, io.EOF
	}
	return nil, 0, 0, nil
}

// index0 returns the place of the present segment in the journal's list, or of
// the one to go to. The caller holds the journal's mu.
func (r *Reader) index0() int {
	j := r.j
	if r.segment != nil && !r.segment.gone && r.scan.off <= r.segment.size {
		return j.locate(r.segment.first)
	}
	r.segment = nil
	at := j.locate(r.next)
	if at < 0 {
		r.jumped = true
	}
	return max(at, 0)
}

// enter begins to read a segment.
func (r *Reader) enter(s *segment, limit int64, end uint64) error {
	file, err := r.j.fs.Open(r.j.segmentPath(s), unix.O_RDONLY)
	if err != nil {
		return err
	}
	r.leave()
	r.segment, r.file = s, file
	r.scan.lenient = false
	r.scan.reset(file, min(segmentHeaderLen, limit), limit, s.first, end)
	if h, ok := readSegmentHeader(file); !ok || h.identity != r.j.who || h.first != s.first {
		r.j.damagedRegion(s.first, file, 0, min(segmentHeaderLen, limit))
	}
	return nil
}

func (r *Reader) leave() {
	if r.file != nil {
		r.file.Close() // only read
		r.file = nil
	}
	r.segment = nil
}
