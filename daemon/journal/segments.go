// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"time"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// fileTimeGrain is how far a file's time may lie before the receipt of what was
// written last: kernels and file systems round it down.
const fileTimeGrain = 2 * time.Second

// A segment is one file of the log. Its fields but first are guarded by the
// journal's mu.
type logSegment struct {
	first uint64 // number of its first message, and its name
	size  int64  // up to here it is valid and may be read
	began time.Time
	used  time.Time // receipt of its newest message, or later
	gone  bool      // removed or replaced: readers must look for their place again
	loose bool      // not open, and not all of it is known to be durable
	again bool      // to be written again before it is made durable
	sure  bool      // its header says what its name says: it begins with first, and the one before it ends there
	index uint64    // of one that is sure: messages journaled before it
	id    vfs.FileID

	file    vfs.File // for writing; nil once all is durable
	synced  int64    // up to here it is durable
	end     uint64   // number after its last message, of one that is not durable
	failed  error    // of an fsync: another must not be trusted; guarded by syncMu
	rescues int      // that were tried since; likewise
}

// closeWritten gives up the descriptor for writing.
func (s *logSegment) closeWritten() {
	if s.file != nil {
		s.file.Close() // what mattered was Sync's result
		s.file = nil
	}
}
