// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// rescue copies the records that a failed fsync may have lost to a new file. Their pages
// are still in memory, but marked clean, so a second fsync would succeed without writing
// them. If rescue fails, the next flush tries again.
func (y *syncer) rescue(s *logSegment) error {
	y.writer.mu.Lock()
	defer y.writer.mu.Unlock()
	if y.index.isGone(s) {
		return nil
	}
	temp := y.segmentPath(s) + vfs.TempSuffix
	n, from, err := y.rewrite(s, temp)
	if err == nil {
		err = y.replace(s, n, from, temp)
	}
	if err != nil {
		if n != nil {
			n.closeWritten()
		}
		_ = y.fs.Remove(temp) // otherwise Open removes it
		return errors.Join(s.failed, err)
	}
	return nil
}

// rewrite copies the frames of s that are not known to be durable to the file temp, and
// makes that durable. from is the offset of these frames in s. The result is nil
// without such frames.
func (y *syncer) rewrite(s *logSegment, temp string) (n *logSegment, from int64, err error) {
	from = max(s.synced, segment.HeaderLen)
	s.rescues++
	// A page that cannot be read may be readable later. But a page that is never readable
	// must not prevent the rescue of the rest: a reader counts the records in it as missing.
	lenient := s.rescues > readRetries && mostlyReadable(s.file, s.size)
	scan := segment.Scanner{Mark: y.who.Mark, Lenient: lenient}
	scan.Reset(s.file, from, s.size, s.first, s.end)
	for {
		f, err := scan.Next()
		if isEOF(err) {
			break
		}
		if err != nil {
			return n, from, err
		}
		if n == nil {
			if n, err = y.beginRewrite(s, &f, temp); err != nil {
				return nil, from, err
			}
		}
		if _, err := n.file.WriteAt(scan.FrameBytes(&f), n.size); err != nil {
			return n, from, err
		}
		n.size += f.Length
	}
	if n == nil {
		return nil, from, nil
	}
	n.synced = n.size
	info, err := n.file.Stat()
	if err == nil {
		n.id, err = info.ID, n.file.Sync()
	}
	return n, from, err
}

// beginRewrite creates a segment that begins with f.
func (y *syncer) beginRewrite(s *logSegment, f *segment.Frame, temp string) (*logSegment, error) {
	y.index.mu.Lock()
	h := segment.Header{Identity: y.who, First: f.First, Index: f.Index, Generation: y.index.generation, Synced: y.index.synced}
	n := &logSegment{first: f.First, end: s.end, size: segment.HeaderLen, began: s.began, used: s.used, sure: true, index: f.Index}
	y.index.mu.Unlock()
	file, err := y.fs.Open(temp, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return nil, err
	}
	n.file = file
	_, err = file.WriteAt(h.Encode(), 0)
	return n, err
}

// replace substitutes n for the part of s that starts at offset from. The caller holds
// the lock of the writer.
func (y *syncer) replace(s, n *logSegment, from int64, temp string) error {
	if n != nil {
		if err := y.fs.Rename(temp, y.segmentPath(n)); err != nil {
			return err
		}
		if err := y.fs.SyncDir(y.dir); err != nil {
			return err
		}
	}
	whole := n != nil && n.first == s.first // the rename has removed s
	if !whole {
		// If this fails, the frames beyond from have numbers that belong to n, and readers
		// reject them.
		_ = s.file.Truncate(from)
	}
	y.index.exchange(s, n, from, whole)
	if y.writer.active == s {
		// n could be active, but after a failure a new file is safer.
		y.writer.active = nil
	}
	return nil
}

// exchange replaces s by n, which is nil if nothing has to be added. s ends at offset from,
// unless it is replaced as a whole.
func (x *index) exchange(s, n *logSegment, from int64, whole bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.locate(s.first)
	s.closeWritten()
	if whole {
		s.gone = true
		x.bytes += n.size - s.size
		x.segments[at] = n
	} else {
		x.bytes += from - s.size
		s.size, s.synced = from, from
		if n != nil {
			x.bytes += n.size
			x.segments = append(x.segments[:at+1], append([]*logSegment{n}, x.segments[at+1:]...)...)
		}
	}
	if n != nil {
		n.closeWritten()
	}
	if s.end > s.first {
		x.synced = max(x.synced, s.end-1)
	}
}

// writeAgain writes the valid parts of a segment over themselves, so that the kernel marks
// their pages dirty. It skips what cannot be read: that is not in memory, so it is on the
// disk or lost.
func (y *syncer) writeAgain(s *logSegment) error {
	if _, ok, err := segment.ReadHeader(s.file); ok && err == nil {
		if err := writeHeaderAgain(s.file); err != nil {
			return err
		}
	}
	scan := segment.Scanner{Mark: y.who.Mark, Lenient: true}
	scan.Reset(s.file, min(segment.HeaderLen, s.size), s.size, s.first, s.end)
	for {
		f, err := scan.Next()
		if isEOF(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if _, err := s.file.WriteAt(scan.FrameBytes(&f), scan.Off-f.Length); err != nil {
			return err
		}
	}
}
