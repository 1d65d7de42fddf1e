// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

const (
	chunkBytes = 256 << 10 // of one read
	pageBytes  = 4096      // what is given up when it cannot be read
)

// A scanner walks over the frames of one segment. It accepts a frame only where
// its numbers fit: what is left of an older file, or was copied from elsewhere,
// has a valid checksum too.
type scanner struct {
	file    File
	mark    uint64
	off     int64  // where the next frame is expected
	limit   int64  // where the segment ends
	min     uint64 // lowest number that the next frame may begin with
	max     uint64 // first number that does not belong into the segment
	lenient bool   // take what cannot be read for zeros, and remember that in unread
	damaged func(off, length int64)

	buf       []byte
	bufOff    int64 // of buf in the file
	peeked    frame // what peek found at off, when its length is not 0
	unread    error // why lenient had to be used
	unreadEnd int64 // behind the last page that could not be read
	scratch   [8]byte
}

// reset begins another segment. The buffer stays.
func (s *scanner) reset(file File, off, limit int64, first, end uint64) {
	s.file, s.off, s.limit, s.min, s.max = file, off, limit, first, end
	s.buf, s.bufOff, s.peeked = s.buf[:0], 0, frame{}
	s.unread, s.unreadEnd = nil, 0
}

// next returns the next frame, which is valid until the buffer is filled again,
// or io.EOF. What it has to skip on the way is reported as damaged.
func (s *scanner) next() (frame, error) {
	if f := s.peeked; f.length > 0 {
		s.peeked = frame{}
		s.pass(&f)
		return f, nil
	}
	bad := int64(-1)
	for s.off < s.limit {
		f, ok, err := s.at(s.off)
		if err != nil {
			s.rewind(bad)
			return frame{}, err
		}
		if ok {
			s.report(bad)
			s.pass(&f)
			return f, nil
		}
		if bad < 0 {
			bad = s.off
		}
		off, err := s.find(s.off + 1)
		if err != nil {
			s.rewind(bad)
			return frame{}, err
		}
		s.off = off
	}
	s.report(bad)
	return frame{}, io.EOF
}

// peek reports whether next would return a frame without filling the buffer.
func (s *scanner) peek() bool {
	if s.peeked.length > 0 {
		return true
	}
	b := s.buffered(s.off)
	length, ok := frameLen(b, s.mark)
	if !ok || length > int64(len(b)) {
		return false
	}
	f, ok := parseFrame(b[:length], s.mark)
	if ok && s.fits(&f) {
		s.peeked = f
	}
	return s.peeked.length > 0
}

func (s *scanner) pass(f *frame) {
	s.off += f.length
	s.min = f.end()
}

// frameBytes returns the whole of the frame that next has just returned.
func (s *scanner) frameBytes(f *frame) []byte { return s.buffered(s.off - f.length)[:f.length] }

func (s *scanner) report(bad int64) {
	if bad >= 0 && s.damaged != nil {
		s.damaged(bad, s.off-bad)
	}
}

// rewind lets a scan that failed begin where it began.
func (s *scanner) rewind(bad int64) {
	if bad >= 0 {
		s.off = bad
	}
}

func (s *scanner) fits(f *frame) bool { return f.first >= s.min && f.end() <= s.max }

// at returns the frame at off.
func (s *scanner) at(off int64) (f frame, ok bool, err error) {
	b, err := s.fill(off, frameHeaderLen)
	if err != nil {
		return frame{}, false, err
	}
	length, ok := frameLen(b, s.mark)
	if !ok || off+length > s.limit {
		return frame{}, false, nil
	}
	if b, err = s.fill(off, length); err != nil || int64(len(b)) < length {
		return frame{}, false, err
	}
	f, ok = parseFrame(b[:length], s.mark)
	return f, ok && s.fits(&f), nil
}

// find returns the place of the next mark at or after off, or the limit.
func (s *scanner) find(off int64) (int64, error) {
	mark := binary.LittleEndian.AppendUint64(s.scratch[:0], s.mark)
	for off+frameHeaderLen <= s.limit {
		b, err := s.fill(off, frameHeaderLen)
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(b, mark); i >= 0 {
			return off + int64(i), nil
		}
		if len(b) < frameHeaderLen {
			break // the file is shorter than it was
		}
		off += int64(len(b) - len(mark) + 1)
	}
	return s.limit, nil
}

// buffered returns what the buffer holds from off on.
func (s *scanner) buffered(off int64) []byte {
	if i := off - s.bufOff; i >= 0 && i < int64(len(s.buf)) {
		return s.buf[i:]
	}
	return nil
}

// fill returns at least want bytes from off on, or fewer at the limit.
func (s *scanner) fill(off, want int64) ([]byte, error) {
	want = min(want, s.limit-off)
	if b := s.buffered(off); int64(len(b)) >= want {
		return b[:min(int64(len(b)), s.limit-off)], nil
	}
	n := min(max(want, chunkBytes), s.limit-off)
	if int64(cap(s.buf)) < n {
		s.buf = make([]byte, max(n, min(chunkBytes, s.limit)))
	}
	s.buf, s.bufOff = s.buf[:n], off
	got, err := s.file.ReadAt(s.buf, off)
	if s.lenient && errors.Is(err, unix.EIO) {
		got, err = s.readPages(s.buf, off)
	}
	s.buf = s.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		s.buf = s.buf[:0]
		return nil, err
	}
	return s.buf, nil
}

// readPages reads what can be read and leaves zeros for the rest: no frame has
// a valid checksum over them.
func (s *scanner) readPages(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		page := b[n:min(len(b), n+pageBytes)]
		m, err := s.file.ReadAt(page, off+int64(n))
		if errors.Is(err, io.EOF) {
			return n + m, err
		}
		if err != nil {
			clear(page)
			s.unread, s.unreadEnd = err, off+int64(n+len(page))
		}
		n += len(page)
	}
	return n, nil
}

// unreadAfter returns why something behind off could not be read, nil when all could.
func (s *scanner) unreadAfter(off int64) error {
	if s.unreadEnd > off {
		return s.unread
	}
	return nil
}

func notEOF(err error) error {
	if isEOF(err) {
		return nil
	}
	return err
}
