// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
)

// tailBytes limits the work of Tail.
const tailBytes = 64 << 20

// Tail calls visit for each readable record of the newest segment, oldest first, and for those
// of the segments before it, until a segment contains a record for which visit returns true.
// The data is valid until visit returns. Tail moves no reader. An error means that an older
// segment may contain such a record: a segment cannot be read, or many were read.
func (j *Journal) Tail(visit func(data []byte) (found bool)) error {
	return j.backward(tailBytes, func(r Record) bool { return visit(r.Data) })
}

// Backward is Tail without a limit, and with the records.
func (j *Journal) Backward(visit func(Record) (found bool)) error {
	return j.backward(math.MaxInt64, visit)
}

func (j *Journal) backward(limit int64, visit func(Record) (found bool)) error {
	read := int64(0)
	for _, s := range slices.Backward(j.index.spans()) {
		if read > 0 && read > limit-s.size {
			return fmt.Errorf("journal %s: the newest %d bytes were searched, at most %d", j.dir, read, limit)
		}
		read += s.size
		found := false
		_, err := j.visit(s, s.first, func(r Record) uint64 {
			found = visit(r) || found
			return r.Seq + 1
		})
		if err != nil {
			return fmt.Errorf("journal %s: read segment %d: %w", j.dir, s.first, err)
		}
		if found {
			break
		}
	}
	return nil
}

// ErrNoRecord is wrapped by the error for a number that no record in the journal has.
var ErrNoRecord = errors.New("no record has this number")

// A Place is where a record is stored.
type Place struct {
	File   string // path of the segment
	Offset int64  // of the record's frame
}

// Find returns the record with a number. The caller owns its data.
func (j *Journal) Find(seq uint64) (rec Record, at Place, err error) {
	for _, s := range j.index.spans() {
		if seq < s.first || seq >= s.end {
			continue
		}
		at.File = j.path(segment.Name(s.first))
		_, err = j.scan(s, seq, func(f *segment.Frame, off int64) (next uint64) {
			return visitFrame(f, seq, func(r Record) uint64 {
				if r.Seq == seq {
					rec, at.Offset = r, off
					rec.Data = bytes.Clone(r.Data)
				}
				return 0
			})
		})
		if err != nil {
			return Record{}, Place{}, fmt.Errorf("journal %s: read segment %d: %w", j.dir, s.first, err)
		}
	}
	if rec.Seq != seq || seq == 0 {
		return Record{}, Place{}, fmt.Errorf("journal %s: %w: %d", j.dir, ErrNoRecord, seq)
	}
	return rec, at, nil
}

// Visit calls visit for the record with number from, or the first readable record after
// it. It continues with the number that visit returns, until visit returns 0 or the journal
// ends. A number that is not greater than the last means the next record. The data is valid
// until visit returns. Visit also reads the part of a segment before the record. It moves no
// reader. An error means that there may be more records, which cannot be read.
func (j *Journal) Visit(from uint64, visit func(Record) (next uint64)) (err error) {
	for _, s := range j.index.spans() {
		if s.end <= from {
			continue
		}
		if from, err = j.visit(s, from, visit); err != nil {
			return fmt.Errorf("journal %s: read segment %d: %w", j.dir, s.first, err)
		}
		if from == 0 {
			break
		}
	}
	return nil
}

// A span is the range of a segment at some time.
type span struct {
	first, end uint64 // numbers
	size       int64
}

// spans returns the ranges of all segments.
func (x *index) spans() []span {
	x.mu.Lock()
	defer x.mu.Unlock()
	spans := make([]span, len(x.segments))
	for i, s := range x.segments {
		spans[i] = span{s.first, x.Next, s.size}
		if i > 0 {
			spans[i-1].end = s.first
		}
	}
	return spans
}

// visit is Visit within a segment, which may have been removed in the meantime. It returns
// the next number to visit.
func (j *Journal) visit(s span, from uint64, visit func(Record) uint64) (next uint64, err error) {
	return j.scan(s, from, func(f *segment.Frame, _ int64) uint64 {
		from = visitFrame(f, from, visit)
		return from
	})
}

// scan calls visit for each frame of a segment and its offset, until visit returns 0. It
// returns the last result of visit, or from.
func (j *Journal) scan(s span, from uint64, visit func(f *segment.Frame, off int64) (next uint64)) (next uint64, err error) {
	file, err := j.fs.Open(j.path(segment.Name(s.first)), unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return from, err
	}
	defer file.Close() // nothing was written
	scan := segment.Scanner{Mark: j.who.Mark, Lenient: true, Damaged: func(int64, int64) {}}
	scan.Reset(file, min(segment.HeaderLen, s.size), s.size, s.first, s.end)
	for from > 0 {
		f, err := scan.Next()
		if errors.Is(err, io.EOF) {
			return from, scan.Unread()
		}
		if err != nil {
			return from, err
		}
		from = visit(&f, scan.Off-f.Length)
	}
	return from, nil
}

// visitFrame is Visit within a frame.
func visitFrame(f *segment.Frame, from uint64, visit func(Record) uint64) (next uint64) {
	rest := f.Payload
	for i := range f.Count {
		rec := Record{Seq: f.First + i, Time: f.Received(), Index: f.Index + i}
		rec.Data, rest = segment.Message(rest)
		if from > 0 && rec.Seq >= from {
			from = visit(rec)
		}
	}
	return from
}
