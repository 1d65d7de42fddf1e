// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"sort"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// fileTimeGrain is the maximum difference between the receipt of the newest message of a
// file and the file's time: kernels and file systems round the time down.
const fileTimeGrain = 2 * time.Second

// A logSegment is one file of the log. Its fields are guarded by the lock of the index,
// except first, which does not change.
type logSegment struct {
	first uint64 // number of its first message, and its name
	size  int64  // length of the valid part, which may be read
	began time.Time
	used  time.Time // receipt of its newest message, or later
	gone  bool      // removed or replaced: readers must find their position again
	loose bool      // not open, and not all of it is known to be durable
	again bool      // must be written again before it is made durable
	sure  bool      // its header agrees with its name: it begins with first, and the segment before it ends there
	index uint64    // if sure: number of messages that were journaled before it
	id    vfs.FileID

	file    vfs.File // for writing; nil once all is durable
	synced  int64    // length of the durable part
	end     uint64   // number after its last message, if it is not durable
	failed  error    // of an fsync: a second fsync proves nothing; guarded by the lock of the syncer
	rescues int      // attempts to rescue it since then; likewise
}

// closeWritten closes the file for writing.
func (s *logSegment) closeWritten() {
	if s.file != nil {
		s.file.Close() // the result of Sync was what mattered
		s.file = nil
	}
}

// An index knows the segments and the end of the log. No other lock is taken while its
// lock is held.
type index struct {
	mu               sync.Mutex
	segments         []*logSegment
	orphans          []*logSegment // removed, but open for writing: the syncer may be using them
	segment.Position               // of the next message
	last             uint64        // number of the newest message that exists
	generation       uint64        // of the newest batch
	bytes            int64         // of all segments
	synced           uint64        // this message and all before it are durable
	sealed           bool          // no message is added any more
	dirDirty         bool          // names in the directory may not be durable
}

// locate returns the place of the segment that contains number seq: the last segment that
// does not begin after seq. It returns -1 if all begin after seq. The caller holds mu.
func (x *index) locate(seq uint64) int {
	return sort.Search(len(x.segments), func(i int) bool { return x.segments[i].first > seq }) - 1
}

// endOf returns the number that ends the segment at that place: the beginning of the next
// segment that is sure, or limit. The caller holds mu.
func (x *index) endOf(at int, limit uint64) uint64 {
	for _, s := range x.segments[at+1:] {
		if s.sure {
			return s.first
		}
	}
	return limit
}

// ends returns the first numbers of the oldest and of the newest segment, 0 without one.
// The caller holds mu.
func (x *index) ends() (oldest, newest uint64) {
	if n := len(x.segments); n > 0 {
		return x.segments[0].first, x.segments[n-1].first
	}
	return 0, 0
}

// bytesFrom returns the size of the segments from that place on. The caller holds mu.
func (x *index) bytesFrom(at int) (bytes int64) {
	for _, s := range x.segments[min(at, len(x.segments)):] {
		bytes += s.size
	}
	return bytes
}

// after returns the number that begins the segment after s, or 0.
func (x *index) after(s *logSegment) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at := x.locate(s.first) + 1; at < len(x.segments) {
		return x.segments[at].first
	}
	return 0
}

// next returns the number of the next message.
func (x *index) next() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Next
}

// count returns the number of messages that were ever journaled.
func (x *index) count() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Index
}

func (x *index) isSealed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sealed
}

// skip skips one number.
func (x *index) skip() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.Next++
}

// add adds a segment at the end.
func (x *index) add(s *logSegment, dirDirty bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.segments = append(x.segments, s)
	x.bytes += s.size
	x.dirDirty = x.dirDirty || dirDirty
}

// publish adds a frame that was written to the active segment, which then has newest as the
// receipt of its newest message. durable means that the frame is durable.
func (x *index) publish(f *segment.Frame, active *logSegment, newest time.Time, durable bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	durable = durable && x.synced == x.last
	active.size += f.Length
	active.end = f.End()
	active.used = newest
	x.bytes += f.Length
	x.Next, x.Index, x.last, x.generation = f.End(), x.Index+f.Count, f.End()-1, f.Generation
	if durable {
		active.synced, x.synced = active.size, x.last
	}
}

// forget removes a segment from the list. It reports false if that was done before.
func (x *index) forget(s *logSegment) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.locate(s.first)
	if at < 0 || x.segments[at] != s {
		return false
	}
	s.gone = true
	x.bytes -= s.size
	x.segments = append(x.segments[:at], x.segments[at+1:]...)
	x.dirDirty = true
	if s.file != nil {
		x.orphans = append(x.orphans, s)
	}
	return true
}

// isGone reports whether a segment was removed or replaced.
func (x *index) isGone(s *logSegment) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return s.gone
}

// setDirDirty notes that names in the directory may not be durable.
func (x *index) setDirDirty() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dirDirty = true
}

// takeDirDirty returns whether names may not be durable, and resets it.
func (x *index) takeDirDirty() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	dirty := x.dirDirty
	x.dirDirty = false
	return dirty
}

// takeOrphans returns the removed segments whose files are open, and forgets them.
func (x *index) takeOrphans() []*logSegment {
	x.mu.Lock()
	defer x.mu.Unlock()
	orphans := x.orphans
	x.orphans = nil
	return orphans
}
