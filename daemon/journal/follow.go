// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// nextFrame goes to the frame that has the next message, or the first one
// after it. found is false, without an error, when there is none yet.
func (r *Reader) nextFrame() (found bool, err error) {
	for !r.scan.Peeked() {
		more, err := r.locate()
		if !more {
			return false, err
		}
		f, err := r.scan.Next()
		if isEOF(err) {
			continue // the segment's end
		}
		if err != nil {
			return false, r.failed(err)
		}
		if r.failures > 0 {
			r.failures = 0
			r.j.wasRead(r.segment)
		}
		if f.End() > r.next {
			return r.begin(f)
		}
	}
	f, _ := r.scan.Next() // it returns what was peeked
	return r.begin(f)
}

func (r *Reader) begin(f segment.Frame) (bool, error) {
	r.frame, r.left, r.rest = f, f.Count, f.Payload
	for r.left > 0 && r.place().next < r.next {
		_, r.rest = segment.Message(r.rest)
		r.left--
	}
	return true, nil
}

func (r *Reader) failed(err error) error {
	r.j.notRead(r.segment, err)
	r.failures++
	r.scan.Lenient = r.giveUp(err, r.file, r.scan.Limit)
	return fmt.Errorf("read %s: %w; delivery goes on when it can be read", r.j.segmentPath(r.segment), err)
}

// giveUp reports whether what cannot be read is to be taken for damage: a few pages that
// fail again and again while the rest of the segment can be read. A disk that is away
// fails for all, and comes back.
func (r *Reader) giveUp(err error, file vfs.File, limit int64) bool {
	return errors.Is(err, unix.EIO) && r.failures >= readRetries && mostlyReadable(file, limit)
}

// mostlyReadable reports whether no more than a quarter of the pages fails.
func mostlyReadable(file vfs.File, limit int64) bool {
	page := make([]byte, segment.PageBytes)
	pages, bad := 0, 0
	for off := int64(0); off < limit; off += segment.PageBytes {
		pages++
		if _, err := file.ReadAt(page[:min(segment.PageBytes, limit-off)], off); notEOF(err) != nil {
			bad++
		}
	}
	return bad <= pages/4
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
			r.scan.Limit, r.scan.Max = limit, end
			return true, nil
		}
		err = r.enter(s, limit, end)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, os.ErrNotExist):
			// Somebody has removed the file. What is missing is counted as damage.
			r.j.missingSegment(s)
		case r.passedBy(s):
			r.j.stray(s, err)
		default:
			r.j.notRead(s, err)
			return false, fmt.Errorf("read %s: %w; %s, and delivery goes on", r.j.segmentPath(s), err, remedy(err))
		}
	}
}

func remedy(err error) string {
	if errors.Is(err, vfs.ErrIrregular) {
		return "move it away"
	}
	return "make it readable for the user of this process, or restore it"
}

// passedBy reports whether no record that the reader has not read can be in a segment
// that it cannot read: the next one begins with the number where the reader is.
func (r *Reader) passedBy(s *logSegment) bool {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, next := range j.segments[j.locate(s.first)+1:] {
		if next.sure {
			return next.first == r.next
		}
	}
	return false
}

// where returns the segment to read from, up to where it may be read, and the
// number that it ends before. The segment is nil when there is nothing to read.
func (r *Reader) where() (s *logSegment, limit int64, end uint64, err error) {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	at := r.index0()
	if at >= 0 && at < len(j.segments) && j.segments[at] == r.segment && r.scan.Off == r.segment.size {
		at++
	}
	if at < len(j.segments) && r.next < j.next {
		s = j.segments[at]
		return s, s.size, j.endOf(at, j.next), nil
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
	if r.segment != nil && !r.segment.gone && r.scan.Off <= r.segment.size {
		return j.locate(r.segment.first)
	}
	r.segment = nil
	at := j.locate(r.next)
	if at < 0 {
		r.jumped = true
	}
	// From one that is sure: the records may be in any of those behind it.
	for at > 0 && !j.segments[at].sure {
		at--
	}
	return max(at, 0)
}

// enter begins to read a segment.
func (r *Reader) enter(s *logSegment, limit int64, end uint64) error {
	file, err := r.j.openSegment(s)
	if err != nil {
		return err
	}
	h, ok, err := segment.ReadHeader(file)
	if err != nil {
		r.failures++
		if !r.giveUp(err, file, limit) {
			file.Close() // only read
			return err
		}
	}
	r.hold(s, file)
	r.scan.Lenient = false
	r.scan.Reset(file, min(segment.HeaderLen, limit), limit, s.first, end)
	ok = ok && h.Identity == r.j.who && h.First == s.first
	switch {
	case ok:
		r.j.wasRead(s)
		r.j.ensure(s, h.Index)
	case limit > 0:
		r.j.damagedRegion(s.first, file, 0, min(segment.HeaderLen, limit))
	}
	return nil
}

// ensure notes that a segment begins where its name says.
func (j *Journal) ensure(s *logSegment, index uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.sure, s.index = true, index
}

func (r *Reader) leave() { r.hold(nil, nil) }

// hold makes a segment the reader's, and its file, which is also what a segment that
// has lost its name is saved from.
func (r *Reader) hold(s *logSegment, file vfs.File) {
	r.j.mu.Lock()
	before := r.file
	r.segment, r.file = s, file
	r.j.mu.Unlock()
	if before != nil {
		before.Close() // only read
	}
}

// openSegment opens a segment for reading, also one that has lost its name. The error is
// not os.ErrNotExist as long as the directory is away: it may come back.
func (j *Journal) openSegment(s *logSegment) (vfs.File, error) {
	file, err := j.fs.Open(j.segmentPath(s), unix.O_RDONLY)
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return file, err
	}
	if open, serr := j.sourceOf(s); serr == nil {
		return open, nil
	}
	if info, serr := j.fs.Stat(j.dir); serr != nil || info.ID != j.homeID() {
		return nil, errAway
	}
	return nil, err
}

func (j *Journal) homeID() vfs.FileID {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.home.id
}
