// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"golang.org/x/sys/unix"
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

// damagedRegion counts a piece of a segment and keeps a copy.
func (j *Journal) damagedRegion(first uint64, file File, off, length int64) {
	j.mu.Lock()
	news := j.news(place{first, off})
	if news {
		j.damage.Regions++
		j.damage.Bytes += uint64(length) //nolint:gosec // a length
	}
	keep := news && j.quarantine+length <= maxQuarantineBytes
	if keep {
		j.quarantine += length
	}
	j.mu.Unlock()
	if keep {
		j.copyAside(first, file, off, length)
	}
}

// missingRecords counts records that damage has taken from before record seq.
func (j *Journal) missingRecords(seq, count uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.news(place{seq, -1}) {
		j.damage.Records += count
	}
}

// copyAside does what it can: the damage is counted already, and nothing depends
// on the copy.
func (j *Journal) copyAside(first uint64, file File, off, length int64) {
	if err := j.fs.Mkdir(j.path(quarantineName)); err != nil {
		return
	}
	name := fmt.Sprintf("%s/%0*d-%d.bad", quarantineName, seqDigits, first, off)
	to, err := j.fs.Open(j.path(name), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return // it is there since an earlier start, or cannot be made
	}
	defer to.Close() // nothing depends on the copy
	buf := make([]byte, min(length, chunkBytes))
	for at := int64(0); at < length; {
		n, err := file.ReadAt(buf[:min(length-at, int64(len(buf)))], off+at)
		if n > 0 {
			_, werr := to.WriteAt(buf[:n], at)
			at += int64(n)
			if werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func formatID(id uint64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, id))
}
