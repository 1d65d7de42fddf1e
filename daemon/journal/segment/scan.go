// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

const (
	// ChunkBytes is the size of one read.
	ChunkBytes = 256 << 10
	// PageBytes is the unit in which a lenient Scanner skips what it cannot read.
	PageBytes = 4096
)

// A Scanner iterates over the frames of one segment. It accepts a frame only where its
// numbers fit: a remnant of an older file, or a copy from elsewhere, has a valid
// checksum too. It is not safe for concurrent use.
type Scanner struct {
	Mark    uint64                  // of the journal
	Off     int64                   // offset where the next frame is expected
	Limit   int64                   // offset where the segment ends
	Max     uint64                  // first number that does not belong to the segment
	Lenient bool                    // treat pages that cannot be read as zeros
	Damaged func(off, length int64) // called for each piece that Next skips; nil is allowed

	file      vfs.File
	min       uint64 // lowest number that the next frame may begin with
	buf       []byte
	bufOff    int64 // offset of buf in the file
	peeked    Frame // the frame at Off, if its length is not 0
	unread    error // the error of the last page that could not be read
	unreadEnd int64 // offset after that page
	scratch   [8]byte
}

// Reset starts with another segment, and keeps the buffer. The numbers in the segment are
// at least first, and less than end.
func (s *Scanner) Reset(file vfs.File, off, limit int64, first, end uint64) {
	s.file, s.Off, s.Limit, s.min, s.Max = file, off, limit, first, end
	s.buf, s.bufOff, s.peeked = s.buf[:0], 0, Frame{}
	s.unread, s.unreadEnd = nil, 0
}

// Next returns the next frame, or io.EOF. The frame is valid until the buffer is filled
// again. Next passes each piece that it skips to Damaged.
func (s *Scanner) Next() (Frame, error) {
	if f := s.peeked; f.Length > 0 {
		s.peeked = Frame{}
		s.pass(&f)
		return f, nil
	}
	bad := int64(-1)
	for s.Off < s.Limit {
		f, ok, err := s.at(s.Off)
		if err != nil {
			s.rewind(bad)
			return Frame{}, err
		}
		if ok {
			s.report(bad)
			s.pass(&f)
			return f, nil
		}
		if bad < 0 {
			bad = s.Off
		}
		off, err := s.find(s.Off + 1)
		if err != nil {
			s.rewind(bad)
			return Frame{}, err
		}
		s.Off = off
	}
	s.report(bad)
	return Frame{}, io.EOF
}

// Peek reports whether Next would return a frame without filling the buffer.
func (s *Scanner) Peek() bool {
	if s.peeked.Length > 0 {
		return true
	}
	b := s.buffered(s.Off)
	length, ok := frameLen(b, s.Mark)
	if !ok || length > int64(len(b)) {
		return false
	}
	f, ok := parseFrame(b[:length], s.Mark)
	if ok && s.fits(&f) {
		s.peeked = f
	}
	return s.peeked.Length > 0
}

// pass moves behind a frame.
func (s *Scanner) pass(f *Frame) {
	s.Off += f.Length
	s.min = f.End()
}

// FrameBytes returns the encoded form of the frame that Next returned last.
func (s *Scanner) FrameBytes(f *Frame) []byte { return s.buffered(s.Off - f.Length)[:f.Length] }

// report reports the damage that begins at bad, if bad is not negative.
func (s *Scanner) report(bad int64) {
	if bad >= 0 && s.Damaged != nil {
		s.Damaged(bad, s.Off-bad)
	}
}

// rewind makes the next scan start where the failed scan started.
func (s *Scanner) rewind(bad int64) {
	if bad >= 0 {
		s.Off = bad
	}
}

// fits reports whether the numbers of f belong at this place.
func (s *Scanner) fits(f *Frame) bool { return f.First >= s.min && f.End() <= s.Max }

// at returns the frame at off.
func (s *Scanner) at(off int64) (f Frame, ok bool, err error) {
	b, err := s.fill(off, FrameHeaderLen)
	if err != nil {
		return Frame{}, false, err
	}
	length, ok := frameLen(b, s.Mark)
	if !ok || off+length > s.Limit {
		return Frame{}, false, nil
	}
	if b, err = s.fill(off, length); err != nil || int64(len(b)) < length {
		return Frame{}, false, err
	}
	f, ok = parseFrame(b[:length], s.Mark)
	return f, ok && s.fits(&f), nil
}

// find returns the offset of the next mark at or after off, or Limit.
func (s *Scanner) find(off int64) (int64, error) {
	mark := binary.LittleEndian.AppendUint64(s.scratch[:0], s.Mark)
	for off+FrameHeaderLen <= s.Limit {
		b, err := s.fill(off, FrameHeaderLen)
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(b, mark); i >= 0 {
			return off + int64(i), nil
		}
		if len(b) < FrameHeaderLen {
			break // the file was cut in the meantime
		}
		off += int64(len(b) - len(mark) + 1)
	}
	return s.Limit, nil
}

// buffered returns the part of the buffer that starts at off.
func (s *Scanner) buffered(off int64) []byte {
	if i := off - s.bufOff; i >= 0 && i < int64(len(s.buf)) {
		return s.buf[i:]
	}
	return nil
}

// fill returns the bytes that start at off, with the length least or more, but not beyond Limit.
func (s *Scanner) fill(off, least int64) ([]byte, error) {
	least = min(least, s.Limit-off)
	if b := s.buffered(off); int64(len(b)) >= least {
		return b[:min(int64(len(b)), s.Limit-off)], nil
	}
	n := min(max(least, ChunkBytes), s.Limit-off)
	if int64(cap(s.buf)) < n {
		s.buf = make([]byte, max(n, min(ChunkBytes, s.Limit)))
	}
	s.buf, s.bufOff = s.buf[:n], off
	got, err := s.file.ReadAt(s.buf, off)
	if s.Lenient && errors.Is(err, unix.EIO) {
		got, err = s.readPages(s.buf, off)
	}
	s.buf = s.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		s.buf = s.buf[:0]
		return nil, err
	}
	return s.buf, nil
}

// readPages reads page by page, and fills the pages that cannot be read with zeros. A frame
// that includes such a page does not have a valid checksum.
func (s *Scanner) readPages(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		page := b[n:min(len(b), n+PageBytes)]
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

// Peeked reports whether Next returns the frame that Peek found.
func (s *Scanner) Peeked() bool { return s.peeked.Length > 0 }

// Unread returns the error of the last page that Lenient skipped, or nil.
func (s *Scanner) Unread() error { return s.unread }

// UnreadAfter returns Unread if that page ends after off, else nil.
func (s *Scanner) UnreadAfter(off int64) error {
	if s.unreadEnd > off {
		return s.unread
	}
	return nil
}
