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

// nextFrame moves to the frame with the next message, or to the first frame after it. found
// is false, without an error, if no such frame exists yet.
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
			r.j.damage.Readable(r.segment.first)
		}
		if f.End() > r.Next {
			return r.begin(f)
		}
	}
	f, _ := r.scan.Next() // the frame that was peeked
	return r.begin(f)
}

// begin begins to return the messages of a frame.
func (r *Reader) begin(f segment.Frame) (bool, error) {
	r.frame, r.left, r.rest = f, f.Count, f.Payload
	for r.left > 0 && r.framePosition().Next < r.Next {
		_, r.rest = segment.Message(r.rest)
		r.left--
	}
	return true, nil
}

// failed handles a read that has failed.
func (r *Reader) failed(err error) error {
	r.j.damage.Unreadable(r.segment.first, err)
	r.failures++
	r.scan.Lenient = r.giveUp(err, r.file, r.scan.Limit)
	return fmt.Errorf("read %s: %w; delivery continues when it can be read", r.j.segmentPath(r.segment), err)
}

// giveUp reports whether what cannot be read counts as damage. That is so if a few pages
// fail repeatedly while the rest of the segment can be read. If the disk is away, all pages
// fail, and they may be readable later.
func (r *Reader) giveUp(err error, file vfs.File, limit int64) bool {
	return errors.Is(err, unix.EIO) && r.failures >= readRetries && mostlyReadable(file, limit)
}

// mostlyReadable reports whether at most a quarter of the pages cannot be read.
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

// locate makes sure that the scanner is in the segment with the next message. more is
// false, without an error, if no such segment exists yet.
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
			// The file was removed. The records that are missing count as damage.
			r.j.retention.missing(s)
		case r.passedBy(s):
			r.j.retention.stray(s, err)
		default:
			r.j.damage.Unreadable(s.first, err)
			return false, fmt.Errorf("read %s: %w; %s, and delivery continues", r.j.segmentPath(s), err, remedy(err))
		}
	}
}

// remedy returns how to make a segment readable.
func remedy(err error) string {
	if errors.Is(err, vfs.ErrIrregular) {
		return "move it away"
	}
	return "make it readable for the user of this process, or restore it"
}

// passedBy reports whether the reader has passed all records that can be in a segment: the
// next segment begins at the position of the reader.
func (r *Reader) passedBy(s *logSegment) bool {
	j := r.j
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	for _, next := range j.index.segments[j.index.locate(s.first)+1:] {
		if next.sure {
			return next.first == r.Next
		}
	}
	return false
}

// where returns the segment to read from, the length of its valid part, and the number that
// ends it. The segment is nil if all was read.
func (r *Reader) where() (s *logSegment, limit int64, end uint64, err error) {
	j := r.j
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	at := r.place()
	if at >= 0 && at < len(j.index.segments) && j.index.segments[at] == r.segment && r.scan.Off == r.segment.size {
		at++
	}
	if at < len(j.index.segments) && r.Next < j.index.Next {
		s = j.index.segments[at]
		return s, s.size, j.index.endOf(at, j.index.Next), nil
	}
	if j.index.sealed {
		return nil, 0, 0, io.EOF
	}
	return nil, 0, 0, nil
}

// place returns the place of the present segment in the list of the index, or of the
// segment to go to. The caller holds the lock of the index.
func (r *Reader) place() int {
	j := r.j
	if r.segment != nil && !r.segment.gone && r.scan.Off <= r.segment.size {
		return j.index.locate(r.segment.first)
	}
	r.segment = nil
	at := j.index.locate(r.Next)
	if at < 0 {
		r.jumped = true
	}
	// Begin with a segment that is sure: the records may be in any segment after it.
	for at > 0 && !j.index.segments[at].sure {
		at--
	}
	return max(at, 0)
}

// enter opens a segment, and begins to read it.
func (r *Reader) enter(s *logSegment, limit int64, end uint64) error {
	file, err := r.j.location.openSegment(s)
	if err != nil {
		return err
	}
	h, ok, err := segment.ReadHeader(file)
	if err != nil {
		r.failures++
		if !r.giveUp(err, file, limit) {
			file.Close() // nothing was written
			return err
		}
	}
	r.hold(s, file)
	r.scan.Lenient = false
	r.scan.Reset(file, min(segment.HeaderLen, limit), limit, s.first, end)
	ok = ok && h.Identity == r.j.who && h.First == s.first
	switch {
	case ok:
		r.j.damage.Readable(s.first)
		r.j.index.ensure(s, h.Index)
	case limit > 0:
		r.j.damage.Region(s.first, file, 0, min(segment.HeaderLen, limit))
	}
	return nil
}

// ensure notes that the header of a segment agrees with its name.
func (x *index) ensure(s *logSegment, index uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s.sure, s.index = true, index
}

// leave closes the present segment.
func (r *Reader) leave() { r.hold(nil, nil) }

// hold changes the segment and its file, from which a segment that has lost its name can
// be restored.
func (r *Reader) hold(s *logSegment, file vfs.File) {
	if before := r.j.readers.hold(r, s, file); before != nil {
		before.Close() // nothing was written
	}
}
