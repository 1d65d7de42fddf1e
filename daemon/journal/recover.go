// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A tail is the end of the journal, as recovery found it.
type tail struct {
	segment.Position        // after the last message that was read
	generation       uint64 // of the last batch
	synced           uint64 // known to be durable
	name             uint64 // number in the name of the last segment, for any content
	unsure           bool   // there is something after it that could not be read
}

// recoverTail scans the last segment. It scans the segments before it only as long as no
// position is found. It ignores what follows the last valid frame, unless that could not
// be read.
func (r *recovery) recoverTail(clean bool) (t tail) {
	t.Next = 1
	if n := len(r.index.segments); n > 0 {
		t.name = r.index.segments[n-1].first
	}
	end := ^uint64(0)
	for i := len(r.index.segments) - 1; i >= 0; i-- {
		s := r.index.segments[i]
		found, err := r.recoverSegment(s, end, clean)
		if err != nil {
			r.damage.Unreadable(s.first, err)
		}
		t.unsure = t.unsure || err != nil
		end = s.first
		if err == nil && found.empty {
			r.discard(i)
			continue
		}
		if found.known {
			t.Position, t.generation, t.synced = found.Position, found.generation, found.synced
			break
		}
	}
	return t
}

// recovered is the result for one segment.
type recovered struct {
	segment.Position
	generation uint64
	synced     uint64
	known      bool // the fields above are known
	empty      bool // there is neither a header nor a frame
}

// recoverSegment scans one segment. It also returns the result if it returns an error. The
// error means that the end of the segment could not be read.
func (r *recovery) recoverSegment(s *logSegment, end uint64, clean bool) (found recovered, err error) {
	file, err := r.fs.Open(r.segmentPath(s), unix.O_RDONLY)
	if err != nil {
		return found, err
	}
	defer file.Close() // nothing was written
	h, ok, headErr := segment.ReadHeader(file)
	ok = ok && h.Identity == r.who && h.First == s.first
	if ok {
		found = recovered{Position: segment.Position{Next: h.First, Index: h.Index}, generation: h.Generation, synced: h.Synced, known: true}
	}
	start := min(segment.HeaderLen, s.size)
	torn, frames, err := r.scan(file, s, start, end, &found)
	if frames == 0 {
		err = cmp.Or(err, headErr) // with a frame, the content of the header is known
	}
	if err != nil {
		return found, err
	}
	found.empty = !ok && frames == 0
	if !ok && headErr == nil && s.size > 0 {
		r.damage.Region(s.first, nil, 0, start)
	}
	if torn > 0 && !found.empty {
		r.cut(s, torn, clean)
	}
	return found, nil
}

// scan scans the frames of a segment. torn is the length of the rest after the last frame.
func (r *recovery) scan(file vfs.File, s *logSegment, start int64, end uint64, found *recovered) (torn int64, frames int, err error) {
	scan := segment.Scanner{Mark: r.who.Mark, Lenient: true}
	read := start // all before this offset is known
	scan.Damaged = func(off, length int64) {
		if off+length == s.size {
			torn = length
		} else if scan.Unread() == nil { // else a reader finds out what is damaged
			r.damage.Region(s.first, nil, off, length)
		}
	}
	scan.Reset(file, start, s.size, s.first, end)
	for {
		f, err := scan.Next()
		if err != nil {
			return torn, frames, cmp.Or(scan.UnreadAfter(read), notEOF(err))
		}
		frames++
		found.Position = segment.Position{Next: f.End(), Index: f.Index + f.Count}
		found.generation, found.known = f.Generation, true
		read = scan.Off
	}
}

// cut removes the torn bytes at the end of a segment. After a clean stop nothing was being
// written, so they are damage.
func (r *recovery) cut(s *logSegment, torn int64, clean bool) {
	at := s.size - torn
	if clean {
		r.damage.Region(s.first, nil, at, torn)
	} else {
		r.damage.Torn(s.first, at, torn)
	}
	path := r.segmentPath(s)
	r.repairs.later("cut the end of "+path, func() error { return r.cutTail(path, at) })
	s.size = at
}

// cutTail truncates a segment. If it fails, readers stop at the size of the segment, and
// those of later processes find damage without missing records.
func (r *recovery) cutTail(path string, at int64) error {
	file, err := r.fs.Open(path, unix.O_RDWR)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(at), file.Close())
}

// discard ignores a segment at the end that contains no record. A file that is not longer
// than a header, as a crash leaves it, is removed.
func (r *recovery) discard(i int) {
	s := r.index.segments[i]
	path := r.segmentPath(s)
	r.log.Warn("a segment at the end of the journal contains no record", "file", path, "bytes", s.size)
	if s.size <= segment.HeaderLen {
		r.repairs.later("remove "+path, func() error { return r.fs.Remove(path) })
	}
	r.index.segments = append(r.index.segments[:i], r.index.segments[i+1:]...)
	r.index.dirDirty = true
}

// maxReopened limits the work of a start that finds no header with the number of the last
// durable message. The segments of one interval are fewer.
const maxReopened = 64

// reopenUnsynced marks the segments that the last process may not have made durable, so
// that they will be. next is the number after the last message. syncFailed means that an
// fsync of the last process has failed: then the segments are written again over
// themselves, because the kernel may mark pages clean that are not on the disk.
func (r *recovery) reopenUnsynced(next uint64, syncFailed bool) {
	x := r.index
	x.dirDirty = true
	end := max(next, x.last+1)
	for i := len(x.segments) - 1; i >= max(0, len(x.segments)-maxReopened) && end > x.synced+1; i-- {
		s := x.segments[i]
		s.loose, s.again, s.end = true, syncFailed, end
		end = s.first
		r.cond.setUnsynced()
	}
}

// settle decides where the journal continues. Numbers that the last process may have used
// are not used again, even if no record with them exists.
func (r *recovery) settle(before *state.Value, known bool, t tail) {
	x := r.index
	x.Position, x.generation = t.Position, t.generation
	clean := known && before.Clean && before.Next >= t.Next
	switch {
	case clean:
		x.Position, x.generation = before.Position, before.Generation
	case known:
		x.Next = max(before.Reserved+1, t.Next, t.name+1)
	case t.name > 0 || len(r.cursors.All()) > 0:
		x.Next = max(t.Next, t.name+1)
		for _, c := range r.cursors.All() {
			x.Next = max(x.Next, min(c.Position().Next, segment.MaxSeq))
		}
		x.Next += state.LostStep
	default:
		x.Next = max(t.Next, 1)
	}
	x.last, x.synced = t.Next-1, t.synced
	if clean {
		x.last, x.synced = x.Next-1, before.Synced
	}
	if t.unsure && !clean {
		r.guessIndex()
	}
	for _, c := range r.cursors.All() {
		r.settleCursor(c, t, clean)
	}
	for _, s := range x.segments {
		x.bytes += s.size
	}
}

// guessIndex sets the index to the least possible value, because the newest records cannot
// be read. So no record counts as missing that is found later.
func (r *recovery) guessIndex() {
	for _, c := range r.cursors.All() {
		if at := c.Position(); c.Usable() && at.Index != segment.UnknownIndex && at.Next <= r.index.Next {
			r.index.Index = max(r.index.Index, at.Index)
		}
	}
}

// settleCursor checks a cursor against the end of the journal.
func (r *recovery) settleCursor(c *cursor.Cursor, t tail, clean bool) {
	at := c.Position()
	switch {
	case !c.Usable():
	case at.Next > r.index.Next:
		r.damage.Add(func(c *damage.Counts) { c.Cursors++ })
		r.log.Error("a cursor is beyond the end; its reader begins again with the oldest record",
			"file", c.Path, "cursor", at.Next, "end", r.index.Next)
		c.Discard()
	case !clean && !t.unsure && at.Next >= t.Next:
		// All records were read, and they are before the cursor, so nothing is missing.
		c.Skip(r.index.Position)
	}
}

// checkEnds reports segments at the beginning or the end that the last process has left
// and that do not exist. A reader counts the records in them when it gets there.
func (r *recovery) checkEnds(before *state.Value) {
	oldest, newest := r.index.ends()
	missing := func(c *damage.Counts) { c.Missing++ }
	if before.Oldest > 0 && (oldest == 0 || oldest > before.Oldest) {
		r.damage.Add(missing)
		r.log.Error("segments are missing at the beginning of the journal", "from_number", before.Oldest, "first_segment", oldest)
	}
	if before.Newest > newest {
		r.damage.Add(missing)
		r.log.Error("segments are missing at the end of the journal", "last_segment", newest, "newest_was", before.Newest)
	}
}
