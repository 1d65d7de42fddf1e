// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Damage is what was found broken since Open, each piece counted once whatever
// the number of readers.
type Damage struct {
	Regions uint64 // pieces of segments that hold no valid frame
	Bytes   uint64 // in them
	Records uint64 // missing in front of a record that a reader found
	Torn    uint64 // bytes cut off the tail at Open: a write that had not ended
	Cursors uint64 // that could not be used and were set anew
	Repairs uint64 // of meta and state
	Strays  uint64 // files with the name of a segment that belong to no place of this journal
	Missing uint64 // segments that somebody has removed or replaced
}

// A place is where damage was found: at an offset of a segment, or in front of a
// record (offset -1).
type place struct {
	number uint64
	off    int64
}

const (
	maxSeen            = 1 << 14  // pieces told apart; beyond it one may count twice
	maxQuarantineBytes = 16 << 20 // kept aside; beyond it damage is only counted
)

// Damage returns the counters.
func (j *Journal) Damage() Damage {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.damage
}

// news reports whether p is seen for the first time. The caller holds mu.
func (j *Journal) news(p place) bool {
	if _, known := j.seen[p]; known {
		return false
	}
	if len(j.seen) < maxSeen {
		j.seen[p] = struct{}{}
	}
	return true
}

// damagedRegion counts a piece of a segment and keeps a copy. file may be nil during
// Open, which changes nothing: the copy is made when the journal is used.
func (j *Journal) damagedRegion(first uint64, file vfs.File, off, length int64) {
	j.mu.Lock()
	news := j.news(place{first, off})
	if news {
		j.damage.Regions++
		j.damage.Bytes += uint64(length)
	}
	j.mu.Unlock()
	if news {
		j.log.Error("a piece of the journal holds no valid record", "file", j.path(segment.Name(first)), "offset", off, "bytes", length)
		j.keepCopy(first, file, off, length)
	}
}

// keepCopy puts a piece of a segment into quarantine, as long as there is room.
func (j *Journal) keepCopy(first uint64, file vfs.File, off, length int64) {
	j.mu.Lock()
	keep := j.quarantine+length <= maxQuarantineBytes
	if keep {
		j.quarantine += length
	}
	j.mu.Unlock()
	switch {
	case !keep:
		j.log.Warn("no copy is kept of a piece of the journal: the quarantine is full", "directory", j.path(quarantineName), "most_bytes", maxQuarantineBytes)
	case file == nil:
		j.later(fmt.Sprintf("keep a copy of a piece of %s", j.path(segment.Name(first))), func() error { return j.copyOf(first, off, length) })
	default:
		if err := j.copyAside(first, file, off, length); err != nil {
			j.log.Warn("no copy is kept of a piece of the journal", "error", err)
		}
	}
}

// copyOf is copyAside of a file that is not open.
func (j *Journal) copyOf(first uint64, off, length int64) error {
	file, err := j.fs.Open(j.path(segment.Name(first)), unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close() // only read
	return j.copyAside(first, file, off, length)
}

func (j *Journal) countCursor() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.damage.Cursors++
}

// missingRecords counts records that damage has taken from before record seq.
func (j *Journal) missingRecords(seq, count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.news(place{seq, -1}) {
		j.damage.Records += count
		j.log.Error("records of the journal are missing", "records", count, "before_number", seq)
	}
}

// missingSegment takes a segment off the list that somebody has removed.
func (j *Journal) missingSegment(s *logSegment) {
	j.mu.Lock()
	news := !s.gone
	if news {
		j.damage.Missing++
	}
	delete(j.unread, segment.Name(s.first))
	j.mu.Unlock()
	if news {
		j.log.Error("a segment of the journal was removed by somebody else; its records are missing", "file", j.segmentPath(s), "bytes", s.size)
	}
	j.forget(s)
}

// stray takes a file off the list that is none of the journal's segments, and leaves
// it alone.
func (j *Journal) stray(s *logSegment, why error) {
	j.mu.Lock()
	news := !s.gone
	if news {
		j.damage.Strays++
	}
	delete(j.unread, segment.Name(s.first))
	j.mu.Unlock()
	if news {
		j.log.Error("a file in the journal is left alone: no record is missing without it", "file", j.segmentPath(s), "reason", why)
	}
	j.forget(s)
}

// copyAside copies a piece of a segment. The damage is counted already, and nothing
// depends on the copy.
func (j *Journal) copyAside(first uint64, file vfs.File, off, length int64) (err error) {
	if err := j.fs.Mkdir(j.path(quarantineName)); err != nil {
		return err
	}
	name := fmt.Sprintf("%s/%0*d-%d.bad", quarantineName, segment.SeqDigits, first, off)
	to, err := j.fs.Open(j.path(name), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if errors.Is(err, os.ErrExist) {
		return nil // since an earlier start
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	buf := make([]byte, min(length, segment.ChunkBytes))
	for at := int64(0); at < length; {
		n, err := file.ReadAt(buf[:min(length-at, int64(len(buf)))], off+at)
		if n > 0 {
			_, werr := to.WriteAt(buf[:n], at)
			at += int64(n)
			if werr != nil {
				return werr
			}
		}
		if err != nil && !isEOF(err) {
			return err
		}
		if err != nil {
			break
		}
	}
	return nil
}

func formatID(id uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, id))
}
