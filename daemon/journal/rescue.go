// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// rescue moves what a failed fsync may have lost into a new file. The pages are
// still in memory and are marked clean, so a second fsync would succeed without
// writing them. When the rescue fails too, it is to be tried again.
func (j *Journal) rescue(s *logSegment) error {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.mu.Lock()
	gone := s.gone
	j.mu.Unlock()
	if gone {
		return nil
	}
	temp := j.segmentPath(s) + vfs.TempSuffix
	n, from, err := j.rewrite(s, temp)
	if err == nil {
		err = j.replace(s, n, from, temp)
	}
	if err != nil {
		if n != nil {
			n.closeWritten()
		}
		_ = j.fs.Remove(temp) // Open removes it
		return errors.Join(s.failed, err)
	}
	return nil
}

// rewrite copies the frames of s that are not known to be durable into a file
// temp and makes that durable. from is where they begin in s. The result is nil
// when there are none.
func (j *Journal) rewrite(s *logSegment, temp string) (n *logSegment, from int64, err error) {
	from = max(s.synced, segment.HeaderLen)
	s.rescues++
	// What cannot be read may be readable later; a page that never is must not keep the
	// rest from being saved. A reader counts what is missing.
	lenient := s.rescues > readRetries && mostlyReadable(s.file, s.size)
	scan := segment.Scanner{Mark: j.who.Mark, Lenient: lenient}
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
			if n, err = j.beginRewrite(s, &f, temp); err != nil {
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

func (j *Journal) beginRewrite(s *logSegment, f *segment.Frame, temp string) (*logSegment, error) {
	j.mu.Lock()
	h := segment.Header{Identity: j.who, First: f.First, Index: f.Index, Generation: j.generation, Synced: j.synced}
	n := &logSegment{first: f.First, end: s.end, size: segment.HeaderLen, began: s.began, used: s.used, sure: true, index: f.Index}
	j.mu.Unlock()
	file, err := j.fs.Open(temp, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return nil, err
	}
	n.file = file
	_, err = file.WriteAt(h.Encode(), 0)
	return n, err
}

// replace puts n in the place of what s holds from from on. The caller holds
// appendMu.
func (j *Journal) replace(s *logSegment, n *logSegment, from int64, temp string) error {
	if n != nil {
		if err := j.fs.Rename(temp, j.segmentPath(n)); err != nil {
			return err
		}
		if err := j.fs.SyncDir(j.dir); err != nil {
			return err
		}
	}
	whole := n != nil && n.first == s.first // the rename has removed s
	if !whole {
		// Should this fail: what lies beyond has numbers that belong to n, and is
		// refused for it.
		_ = s.file.Truncate(from) // see above
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.exchange(s, n, from, whole)
	if j.active == s {
		// Not n, even though it could be: after a failure a fresh file is safer.
		j.active = nil
	}
	return nil
}

func (j *Journal) exchange(s, n *logSegment, from int64, whole bool) {
	at := j.locate(s.first)
	s.closeWritten()
	if whole {
		s.gone = true
		j.bytes += n.size - s.size
		j.segments[at] = n
	} else {
		j.bytes += from - s.size
		s.size, s.synced = from, from
		if n != nil {
			j.bytes += n.size
			j.segments = append(j.segments[:at+1], append([]*logSegment{n}, j.segments[at+1:]...)...)
		}
	}
	if n != nil {
		n.closeWritten()
	}
	if s.end > s.first {
		j.synced = max(j.synced, s.end-1)
	}
}
