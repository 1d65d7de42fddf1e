// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A tail is what recovery found at the journal's end.
type tail struct {
	position          // after the last message
	generation uint64 // of the last batch
	synced     uint64 // known to be durable
	name       uint64 // of the last segment, whatever it holds
}

// recoverTail scans the last segment, and those before it only as long as they
// tell nothing. It cuts what comes after the last valid frame.
func (j *Journal) recoverTail(clean bool) (t tail) {
	t.next = 1
	if n := len(j.segments); n > 0 {
		t.name = j.segments[n-1].first
	}
	end := ^uint64(0)
	for i := len(j.segments) - 1; i >= 0; i-- {
		s := j.segments[i]
		r, err := j.recoverSegment(s, end, clean)
		end = s.first
		if err != nil {
			continue // it cannot be opened: a reader finds out, and counts
		}
		if r.empty && !r.unread {
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
	unread     bool // something could not be read, and may come back
}

func (j *Journal) recoverSegment(s *segment, end uint64, clean bool) (r recovered, err error) {
	file, err := j.fs.Open(j.segmentPath(s), unix.O_RDWR)
	if err != nil {
		return r, err
	}
	defer file.Close() // a cut that fails is made again
	h, ok := readSegmentHeader(file)
	ok = ok && h.identity == j.who && h.first == s.first
	if ok {
		r = recovered{position: position{h.first, h.index}, generation: h.generation, synced: h.synced, known: true}
	}
	scan := scanner{mark: j.who.mark, lenient: true}
	start := min(segmentHeaderLen, s.size)
	torn := int64(0)
	scan.damaged = func(off, length int64) {
		if off+length == s.size {
			torn = length
			return
		}
		j.damagedRegion(s.first, file, off, length)
	}
	scan.reset(file, start, s.size, s.first, end)
	frames := 0
	for {
		f, err := scan.next()
		if err != nil {
			break // the end: a lenient scan goes over all else
		}
		frames++
		r.position = position{f.end(), f.index + f.count}
		r.generation, r.known = f.generation, true
	}
	r.unread = scan.unread
	r.empty = !ok && frames == 0
	if !ok && s.size > 0 {
		j.damagedRegion(s.first, file, 0, start)
	}
	if torn > 0 && !r.unread {
		j.cut(s, file, torn, clean)
	}
	return r, nil
}

// cut takes the torn bytes off a segment's end. After a clean stop nothing was
// being written, so they are damage.
func (j *Journal) cut(s *segment, file File, torn int64, clean bool) {
	at := s.size - torn
	if clean {
		j.damagedRegion(s.first, file, at, torn)
	} else {
		j.damage.Torn += uint64(torn) //nolint:gosec // a length
		if j.quarantine+torn <= maxQuarantineBytes {
			j.quarantine += torn
			j.copyAside(s.first, file, at, torn)
		}
	}
	// Should this fail: readers stop at size, and later ones find damage in which
	// nothing is missing.
	file.Truncate(at) //nolint:errcheck // see above
	s.size = at
}

// discard removes a segment that holds nothing.
func (j *Journal) discard(i int) {
	s := j.segments[i]
	j.fs.Remove(j.segmentPath(s)) //nolint:errcheck // it stays, and holds nothing
	j.segments = append(j.segments[:i], j.segments[i+1:]...)
	j.dirDirty = true
}

// maxMistrusted bounds the work of a start that finds no header to tell what was
// durable. An interval's worth of segments is fewer.
const maxMistrusted = 64

// mistrust opens the segments that the last process may not have made durable,
// so that they will be. next is the number after the last message. When an fsync
// of the last process has failed they are written anew, each byte where it is: the
// kernel may call clean what the disk does not have.
func (j *Journal) mistrust(next uint64, suspect bool) error {
	j.dirDirty = true
	end := max(next, j.last+1)
	for i := len(j.segments) - 1; i >= max(0, len(j.segments)-maxMistrusted) && end > j.synced+1; i-- {
		s := j.segments[i]
		if file, err := j.fs.Open(j.segmentPath(s), unix.O_RDWR); err == nil {
			s.file, s.end = file, end
			if suspect {
				if err := j.writeAgain(s); err != nil {
					return fmt.Errorf("write %s again: %w", j.segmentPath(s), err)
				}
			}
		}
		end = s.first
	}
	return nil
}

// writeAgain writes all that is valid in a segment over itself.
func (j *Journal) writeAgain(s *segment) error {
	if _, ok := readSegmentHeader(s.file); ok {
		if err := writeHeaderAgain(s.file); err != nil {
			return err
		}
	}
	scan := scanner{mark: j.who.mark, lenient: true}
	scan.reset(s.file, min(segmentHeaderLen, s.size), s.size, s.first, s.end)
	for {
		f, err := scan.next()
		if err != nil {
			return nil //nolint:nilerr // the end: a lenient scan goes over all else
		}
		if _, err := s.file.WriteAt(scan.frameBytes(&f), scan.off-f.length); err != nil {
			return err
		}
	}
}
