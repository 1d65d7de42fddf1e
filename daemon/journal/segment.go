// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

const (
	segmentHeaderLen = 64
	segmentMagic     = "genltlog"
	segmentSuffix    = ".log"
	seqDigits        = 20
	formatVersion    = 1
	maxSeq           = 1 << 63 // no journal gets there; a file name might
	maxSegmentLen    = 4 << 30 // of what is read of one
)

// fileTimeGrain is how far a file's time may lie before the receipt of what was
// written last: kernels and file systems round it down.
const fileTimeGrain = 2 * time.Second

// A segment is one file of the log. Its fields but first are guarded by the
// journal's mu.
type segment struct {
	first uint64 // number of its first message, and its name
	size  int64  // up to here it is valid and may be read
	began time.Time
	used  time.Time // receipt of its newest message, or later
	gone  bool      // removed or replaced: readers must look for their place again
	loose bool      // not open, and not all of it is known to be durable
	again bool      // to be written again before it is made durable
	sure  bool      // its header says what its name says: it begins with first, and the one before it ends there
	index uint64    // of one that is sure: messages journaled before it
	id    FileID

	file    File   // for writing; nil once all is durable
	synced  int64  // up to here it is durable
	end     uint64 // number after its last message, of one that is not durable
	failed  error  // of an fsync: another must not be trusted; guarded by syncMu
	rescues int    // that were tried since; likewise
}

func segmentName(first uint64) string { return fmt.Sprintf("%0*d%s", seqDigits, first, segmentSuffix) }

func parseSegmentName(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != seqDigits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && first < maxSeq
}

// A segmentHeader begins each segment. It repeats what other files say, so that
// the journal survives the loss of those.
type segmentHeader struct {
	identity
	first      uint64
	index      uint64 // messages journaled before the segment
	generation uint64 // of the last batch before the segment
	synced     uint64 // highest number that was known to be durable
}

func (h *segmentHeader) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, segmentHeaderLen), segmentMagic...)
	b = le.AppendUint32(b, 0) // the checksum's place
	b = le.AppendUint32(b, formatVersion)
	for _, v := range []uint64{h.id, h.mark, h.first, h.index, h.generation, h.synced} {
		b = le.AppendUint64(b, v)
	}
	le.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}

func parseSegmentHeader(b []byte) (h segmentHeader, ok bool) {
	le := binary.LittleEndian
	if len(b) < segmentHeaderLen || string(b[:8]) != segmentMagic ||
		le.Uint32(b[8:]) != crc32.Checksum(b[12:segmentHeaderLen], castagnoli) || le.Uint32(b[12:]) != formatVersion {
		return segmentHeader{}, false
	}
	return segmentHeader{
		identity: identity{id: le.Uint64(b[16:]), mark: le.Uint64(b[24:])},
		first:    le.Uint64(b[32:]), index: le.Uint64(b[40:]), generation: le.Uint64(b[48:]), synced: le.Uint64(b[56:]),
	}, true
}

// readSegmentHeader returns ok false for a header that is damaged, and an error for
// one that cannot be read.
func readSegmentHeader(f File) (h segmentHeader, ok bool, err error) {
	var b [segmentHeaderLen]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && !isEOF(err) {
		return segmentHeader{}, false, err
	}
	h, ok = parseSegmentHeader(b[:])
	return h, ok, nil
}

// closeWritten gives up the descriptor for writing.
func (s *segment) closeWritten() {
	if s.file != nil {
		s.file.Close() // what mattered was Sync's result
		s.file = nil
	}
}
