// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// A tail is what recovery found at the journal's end.
type tail struct {
	position          // after the last message that was read
	generation uint64 // of the last batch
	synced     uint64 // known to be durable
	name       uint64 // of the last segment, whatever it holds
	unsure     bool   // there is something behind it that could not be read
}

// recoverTail scans the last segment, and those before it only as long as they
// tell nothing. It leaves out what comes after the last valid frame, unless that could
// not be read.
func (j *Journal) recoverTail(clean bool) (t tail) {
	t.next = 1
	if n := len(j.segments); n > 0 {
		t.name = j.segments[n-1].first
	}
	end := ^uint64(0)
	for i := len(j.segments) - 1; i >= 0; i-- {
		s := j.segments[i]
		r, err := j.recoverSegment(s, end, clean)
		if err != nil {
			j.notRead(s, err)
		}
		t.unsure = t.unsure || err != nil
		end = s.first
		if err == nil && r.empty {
			j.discard(i)
			continue
		}
		if r.known {
			t.position, t.generation, t.synced = r.position, r.generation, r.synced
			break
		}
	}
	return t
}

// What recovery found in one segment.
type recovered struct {
	position
	generation uint64
	synced     uint64
	known      bool // the above is
	empty      bool // there is neither a header nor a frame
}

// recoverSegment returns what it found before the error, too. The error says that the
// end of the segment could not be read.
func (j *Journal) recoverSegment(s *logSegment, end uint64, clean bool) (r recovered, err error) {
	file, err := j.fs.Open(j.segmentPath(s), unix.O_RDONLY)
	if err != nil {
		return r, err
	}
	defer file.Close() // only read
	h, ok, headErr := segment.ReadHeader(file)
	ok = ok && h.Identity == j.who && h.First == s.first
	if ok {
		r = recovered{position: position{h.First, h.Index}, generation: h.Generation, synced: h.Synced, known: true}
	}
	scan := segment.Scanner{Mark: j.who.Mark, Lenient: true}
	start := min(segment.HeaderLen, s.size)
	torn, read := int64(0), start // up to where all is known
	scan.Damaged = func(off, length int64) {
		if off+length == s.size {
			torn = length
		} else if scan.Unread() == nil { // else a reader finds out what is damaged
			j.damagedRegion(s.first, nil, off, length)
		}
	}
	scan.Reset(file, start, s.size, s.first, end)
	frames := 0
	for {
		f, serr := scan.Next()
		if serr != nil {
			err = cmp.Or(scan.UnreadAfter(read), notEOF(serr))
			break
		}
		frames++
		r.position = position{f.End(), f.Index + f.Count}
		r.generation, r.known = f.Generation, true
		read = scan.Off
	}
	if frames == 0 {
		err = cmp.Or(err, headErr) // else what the header would tell is known
	}
	if err != nil {
		return r, err
	}
	r.empty = !ok && frames == 0
	if !ok && headErr == nil && s.size > 0 {
		j.damagedRegion(s.first, nil, 0, start)
	}
	if torn > 0 && !r.empty {
		j.cut(s, torn, clean)
	}
	return r, nil
}

// notRead notes a segment that cannot be read.
func (j *Journal) notRead(s *logSegment, err error) {
	name := segment.Name(s.first)
	j.mu.Lock()
	_, known := j.unread[name]
	j.unread[name] = err
	j.mu.Unlock()
	if !known {
		j.log.Error("a segment of the journal cannot be read; delivery waits for it", "file", j.path(name), "error", err)
	}
}

// wasRead notes that one can be read that could not.
func (j *Journal) wasRead(s *logSegment) {
	name := segment.Name(s.first)
	j.mu.Lock()
	_, known := j.unread[name]
	delete(j.unread, name)
	j.mu.Unlock()
	if known {
		j.log.Info("a segment of the journal can be read again", "file", j.path(name))
	}
}

// Unreadable returns how many segments could not be read when that was last tried.
func (j *Journal) Unreadable() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.unread)
}

// cut takes the torn bytes off a segment's end. After a clean stop nothing was
// being written, so they are damage.
func (j *Journal) cut(s *logSegment, torn int64, clean bool) {
	at := s.size - torn
	if clean {
		j.damagedRegion(s.first, nil, at, torn)
	} else {
		j.damage.Torn += uint64(torn)
		j.log.Info("the journal ends with a write that was not complete; it is cut off", "file", j.segmentPath(s), "offset", at, "bytes", torn)
		j.keepCopy(s.first, nil, at, torn)
	}
	j.later("cut the end of "+j.segmentPath(s), func() error { return j.cutTail(s.first, at) })
	s.size = at
}

// discard leaves out a segment at the end that holds nothing. A file that is no more
// than a header, as a crash leaves it, is removed.
func (j *Journal) discard(i int) {
	s := j.segments[i]
	path := j.segmentPath(s)
	j.log.Warn("a segment at the end of the journal holds no record", "file", path, "bytes", s.size)
	if s.size <= segment.HeaderLen {
		j.later("remove "+path, func() error { return j.fs.Remove(path) })
	}
	j.segments = append(j.segments[:i], j.segments[i+1:]...)
	j.dirDirty = true
}

// maxMistrusted bounds the work of a start that finds no header to tell what was
// durable. An interval's worth of segments is fewer.
const maxMistrusted = 64

// mistrust notes the segments that the last process may not have made durable, so
// that they will be. next is the number after the last message. When an fsync
// of the last process has failed they are written again, each byte where it is: the
// kernel may call clean what the disk does not have.
func (j *Journal) mistrust(next uint64, suspect bool) {
	j.dirDirty = true
	end := max(next, j.last+1)
	for i := len(j.segments) - 1; i >= max(0, len(j.segments)-maxMistrusted) && end > j.synced+1; i-- {
		s := j.segments[i]
		s.loose, s.again, s.end = true, suspect, end
		end = s.first
		j.owed = true
	}
}

// writeAgain writes all that is valid in a segment over itself. What cannot be read is
// left out: it is not in memory, so it is on the disk or nowhere.
func (j *Journal) writeAgain(s *logSegment) error {
	if _, ok, err := segment.ReadHeader(s.file); ok && err == nil {
		if err := writeHeaderAgain(s.file); err != nil {
			return err
		}
	}
	scan := segment.Scanner{Mark: j.who.Mark, Lenient: true}
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
