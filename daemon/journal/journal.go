// SPDX-License-Identifier: Apache-2.0

// Package journal keeps received messages, in order, until every reader has
// taken them. It knows bytes and numbers, and nothing of what they mean.
//
// This journal lives in memory: what it holds survives a dead sink, not the end
// of the process. Its invariants:
//
//  1. Records are numbered from 1 without gaps, in the order of Append.
//  2. A reader sees each record once, in order, or learns exactly how many it
//     was too late for.
//  3. Append never waits for a reader.
//  4. The journal holds at most its limit of bytes, rounded up to one chunk, and
//     at most one Append more.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"time"
)

// A Record is one message in the journal. Its Data must not be modified; it
// stays valid while the record is referenced.
type Record struct {
	Seq  uint64
	Time time.Time // of receipt
	Data []byte
}

const (
	recordHeaderLen = 12      // time u64 ns, length u32
	chunkBytes      = 1 << 20 // unit of memory and of dropping
)

// A chunk holds records first .. first+count-1 one after the other. What is
// written in it never changes, so readers use it without a lock.
type chunk struct {
	first uint64
	count uint64
	data  []byte // grows up to its capacity, never past it
}

// A Journal is safe for concurrent use.
type Journal struct {
	id    string
	limit int64

	mu      sync.Mutex
	chunks  []*chunk
	next    uint64 // number of the next record
	bytes   int64  // capacity of the chunks
	readers []*Reader
	sealed  bool
	grown   chan struct{} // closed when there is more to read; nil when nobody waits
}

// ErrSealed is returned by Append after Seal.
var ErrSealed = errors.New("journal is sealed")

// New returns an empty journal with an id of its own that holds about
// limitBytes at the most.
func New(limitBytes int64) *Journal {
	var id [8]byte
	rand.Read(id[:]) // never fails: it aborts the process instead
	return &Journal{id: hex.EncodeToString(id[:]), limit: limitBytes, next: 1}
}

// ID names this journal among all others; together with a record's number it
// names the record.
func (j *Journal) ID() string { return j.id }

// Append adds records that were received at t, in order. It copies them.
func (j *Journal) Append(t time.Time, records [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sealed {
		return ErrSealed
	}
	for _, r := range records {
		c := j.room(recordHeaderLen + len(r))
		c.data = binary.NativeEndian.AppendUint64(c.data, uint64(t.UnixNano()))
		c.data = binary.NativeEndian.AppendUint32(c.data, uint32(len(r))) //nolint:gosec // a netlink message is shorter
		c.data = append(c.data, r...)
		c.count++
		j.next++
	}
	j.trim()
	j.wake()
	return nil
}

// room returns the chunk that takes the next size bytes.
func (j *Journal) room(size int) *chunk {
	if n := len(j.chunks); n > 0 {
		if last := j.chunks[n-1]; cap(last.data)-len(last.data) >= size {
			return last
		}
	}
	c := &chunk{first: j.next, data: make([]byte, 0, max(chunkBytes, size))}
	j.chunks = append(j.chunks, c)
	j.bytes += int64(cap(c.data))
	return c
}

// trim frees the chunks that every reader has passed, and the oldest ones that
// exceed the limit. The newest chunk always stays.
func (j *Journal) trim() {
	wanted := j.next
	for _, r := range j.readers {
		wanted = min(wanted, r.committed+1)
	}
	for len(j.chunks) > 1 {
		oldest := j.chunks[0]
		if oldest.first+oldest.count > wanted && j.bytes <= j.limit {
			return
		}
		j.bytes -= int64(cap(oldest.data))
		j.chunks[0] = nil
		j.chunks = j.chunks[1:]
	}
}

func (j *Journal) wake() {
	if j.grown != nil {
		close(j.grown)
		j.grown = nil
	}
}

// Seal ends the journal: nothing more is appended, and a reader that has read
// everything gets io.EOF.
func (j *Journal) Seal() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sealed = true
	j.wake()
}

// Bytes returns the memory held.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// A Reader follows the journal from the record after those that were there when
// it was made. One goroutine reads; Committed and Last may be called by others.
type Reader struct {
	j         *Journal
	committed uint64 // number of the last record that need not be kept; guarded by j.mu

	next  uint64 // number of the next record to read
	chunk *chunk
	pos   int // of record next in the chunk
}

// NewReader returns a reader that starts at the journal's end.
func (j *Journal) NewReader() *Reader {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &Reader{j: j, committed: j.next - 1, next: j.next}
	j.readers = append(j.readers, r)
	return r
}

// Read fills records with the next ones and returns how many there were, at
// least one, waiting if need be. skipped is the number of records, before the
// first of them, that were dropped before they could be read. The error is
// io.EOF at the end of a sealed journal, or the context's.
func (r *Reader) Read(ctx context.Context, records []Record) (n int, skipped uint64, err error) {
	for {
		n, skipped, grown := r.tryRead(records)
		if n > 0 {
			return n, skipped, nil
		}
		if grown == nil {
			return 0, 0, io.EOF
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// tryRead reads what is there. When nothing is, grown tells of more; it is nil
// when there will be no more.
func (r *Reader) tryRead(records []Record) (n int, skipped uint64, grown <-chan struct{}) {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.next == j.next {
		if j.sealed {
			return 0, 0, nil
		}
		if j.grown == nil {
			j.grown = make(chan struct{})
		}
		return 0, 0, j.grown
	}
	if oldest := j.chunks[0].first; r.next < oldest {
		skipped = oldest - r.next
		r.next, r.chunk = oldest, nil
		r.committed = max(r.committed, oldest-1)
	}
	for n < len(records) && r.next < j.next {
		records[n] = r.step()
		n++
	}
	return n, skipped, nil
}

// step returns the next record. The caller has made sure that there is one.
func (r *Reader) step() Record {
	if r.chunk == nil || r.next == r.chunk.first+r.chunk.count {
		r.chunk, r.pos = r.j.find(r.next), 0
	}
	data := r.chunk.data[r.pos:]
	length := recordHeaderLen + int(binary.NativeEndian.Uint32(data[8:]))
	rec := Record{
		Seq:  r.next,
		Time: time.Unix(0, int64(binary.NativeEndian.Uint64(data))), //nolint:gosec // written from a signed number
		Data: data[recordHeaderLen:length:length],
	}
	r.next++
	r.pos += length
	return rec
}

// find returns the chunk that begins with record seq.
func (j *Journal) find(seq uint64) *chunk {
	for _, c := range j.chunks {
		if c.first == seq {
			return c
		}
	}
	return nil
}

// Commit says that the records up to and with seq need not be kept for this
// reader.
func (r *Reader) Commit(seq uint64) {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	r.committed = max(r.committed, seq)
	r.j.trim()
}

// Last returns the number of the journal's newest record.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}
