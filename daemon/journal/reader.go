// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Start says where a reader begins that has no usable cursor.
type Start int

const (
	// FromOldest begins with the oldest record that there is.
	FromOldest Start = iota
	// FromEnd begins with the next record to come.
	FromEnd
)

// readRetries is how often a read may fail before what cannot be read is taken
// for damage.
const readRetries = 5

// A Reader follows the journal. One goroutine reads; the others' calls may come
// from anywhere.
type Reader struct {
	j      *Journal
	cursor *cursor
	wake   chan struct{}

	position // of the next message to return
	segment  *segment
	file     File
	scan     scanner
	frame    frame    // that is being returned
	left     uint64   // messages of it
	rest     []byte   // their bytes
	jumped   bool     // removal has taken what was next: what is missing is no damage
	failures int      // to read, one after the other
	batch    position // of the first message of the last batch
}

// NewReader returns the reader of that name, at the place that it last
// committed. There can be one at a time.
func (j *Journal) NewReader(name string, start Start) (*Reader, error) {
	if err := checkCursorName(name); err != nil {
		return nil, err
	}
	j.syncMu.Lock() // against removal
	defer j.syncMu.Unlock()
	c, err := j.cursor(name, start)
	if err != nil {
		return nil, fmt.Errorf("journal %s: cursor of %q: %w", j.dir, name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.open {
		return nil, fmt.Errorf("journal %s: %q has a reader already", j.dir, name)
	}
	c.open = true
	r := &Reader{j: j, cursor: c, wake: make(chan struct{}, 1), position: c.at}
	r.scan.mark = j.who.mark
	r.scan.damaged = func(off, length int64) { j.damagedRegion(r.segment.first, r.file, off, length) }
	j.readers = append(j.readers, r)
	return r, nil
}

// cursor returns the cursor of that name, and makes it if need be. The caller
// holds syncMu.
func (j *Journal) cursor(name string, start Start) (*cursor, error) {
	j.mu.Lock()
	c, closed := j.cursors[name], j.closed
	j.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if c != nil && !c.broken {
		return c, nil
	}
	at := j.startOf(start)
	slots, err := createSlots(j.fs, j.path(cursorPrefix+name), at.encode(j.who.id))
	if err != nil {
		return nil, err
	}
	c = &cursor{name: name, slots: slots, id: j.who.id, at: at, durable: at, written: at}
	j.mu.Lock()
	j.cursors[name] = c
	j.mu.Unlock()
	return c, nil
}

// startOf returns where a new reader begins. The caller holds syncMu.
func (j *Journal) startOf(start Start) position {
	j.mu.Lock()
	at, fromEnd := j.position, start == FromEnd || len(j.segments) == 0
	if !fromEnd {
		at = position{j.segments[0].first, unknownIndex}
	}
	j.mu.Unlock()
	if !fromEnd {
		if file, err := j.fs.Open(j.path(segmentName(at.next)), unix.O_RDONLY); err == nil {
			if h, ok := readSegmentHeader(file); ok && h.identity == j.who && h.first == at.next {
				at.index = h.index
			}
			file.Close() // only read
		}
	}
	return at
}

// unknownIndex stands for the index of a place when no file tells it. Nothing
// counts as missing there.
const unknownIndex = ^uint64(0)

// Read fills records with the next ones and returns how many there were, at
// least one, waiting if need be. They are valid until the next Read. skipped is
// the number of records, before the first of them, that were removed or damaged
// before they could be read. The error is io.EOF at the end of a sealed journal,
// or the context's; after any other, which the disk has caused, Read may be
// called again.
func (r *Reader) Read(ctx context.Context, records []Record) (n int, skipped uint64, err error) {
	for {
		n, skipped, err := r.tryRead(records)
		if n > 0 || err != nil {
			return n, skipped, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// tryRead reads what is there, which may be nothing.
func (r *Reader) tryRead(records []Record) (n int, skipped uint64, err error) {
	for n < len(records) {
		if r.left == 0 {
			if n > 0 && !r.scan.peek() {
				break // the next frame's place is that of the records
			}
			if found, err := r.nextFrame(); !found {
				return n, 0, err
			}
		}
		if n > 0 && r.place().next != r.next {
			break // so that the numbers of a batch are consecutive
		}
		if missing := r.missing(); missing > 0 {
			skipped = missing
			if !r.jumped {
				r.j.missingRecords(r.frame.end()-r.left, missing)
			}
		}
		r.jumped = false
		r.position = r.place()
		if n == 0 {
			r.batch = r.position
		}
		records[n] = r.step()
		n++
	}
	return n, skipped, nil
}

// place returns the position of the next message of the frame.
func (r *Reader) place() position {
	done := r.frame.count - r.left
	return position{r.frame.first + done, r.frame.index + done}
}

// missing returns how many messages are missing before the next one of the frame.
func (r *Reader) missing() uint64 {
	at := r.place()
	if at.next <= r.next || at.index <= r.index || r.index == unknownIndex {
		return 0
	}
	return at.index - r.index
}

func (r *Reader) step() Record {
	rec := Record{Seq: r.next, Time: r.frame.received()}
	rec.Data, r.rest = message(r.rest)
	r.left--
	r.next++
	r.index++
	return rec
}

// nextFrame goes to the frame that has the next message, or the first one
// after it. found is false, without an error, when there is none yet.
func (r *Reader) nextFrame() (found bool, err error) {
	for r.scan.peeked.length == 0 {
		more, err := r.locate()
		if !more {
			return false, err
		}
		f, err := r.scan.next()
		if isEOF(err) {
			continue // the segment's end
		}
		if err != nil {
			return false, r.failed(err)
		}
		r.failures = 0
		if f.end() > r.next {
			return r.begin(f)
		}
	}
	f, _ := r.scan.next() // it returns what was peeked
	return r.begin(f)
}

func (r *Reader) begin(f frame) (bool, error) {
	r.frame, r.left, r.rest = f, f.count, f.payload
	for r.left > 0 && r.place().next < r.next {
		_, r.rest = message(r.rest)
		r.left--
	}
	return true, nil
}

func (r *Reader) failed(err error) error {
	if !errors.Is(err, unix.EIO) {
		return fmt.Errorf("read %s: %w", r.j.segmentPath(r.segment), err)
	}
	r.failures++
	r.scan.lenient = r.failures >= readRetries
	return fmt.Errorf("read %s (%d times; after %d what cannot be read is skipped and counted as damage): %w",
		r.j.segmentPath(r.segment), r.failures, readRetries, err)
}

// locate makes sure that the scanner is where there is more to read. more is
// false, without an error, when there is nothing yet.
func (r *Reader) locate() (more bool, err error) {
	for {
		s, limit, end, err := r.where()
		if s == nil {
			return false, err
		}
		if s == r.segment {
			r.scan.limit, r.scan.max = limit, end
			return true, nil
		}
		if err := r.enter(s, limit, end); err == nil {
			return true, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		// Somebody has removed the file. What is missing is counted as damage.
		r.j.forget(s)
	}
}

// where returns the segment to read from, up to where it may be read, and the
// number that it ends before. The segment is nil when there is nothing to read.
func (r *Reader) where() (s *segment, limit int64, end uint64, err error) {
	j := r.j
	j.mu.Lock()
	defer j.mu.Unlock()
	at := r.index0()
	if at >= 0 && at < len(j.segments) && j.segments[at] == r.segment && r.scan.off == r.segment.size {
		at++
	}
	if at < len(j.segments) && r.next < j.next {
		s, end = j.segments[at], j.next
		if at+1 < len(j.segments) {
			end = j.segments[at+1].first
		}
		return s, s.size, end, nil
	}
	if j.sealed {
		return nil, 0, 0, io.EOF
	}
	return nil, 0, 0, nil
}

// index0 returns the place of the present segment in the journal's list, or of
// the one to go to. The caller holds the journal's mu.
func (r *Reader) index0() int {
	j := r.j
	if r.segment != nil && !r.segment.gone && r.scan.off <= r.segment.size {
		return j.locate(r.segment.first)
	}
	r.segment = nil
	at := j.locate(r.next)
	if at < 0 {
		r.jumped = true
	}
	return max(at, 0)
}

// enter begins to read a segment.
func (r *Reader) enter(s *segment, limit int64, end uint64) error {
	file, err := r.j.fs.Open(r.j.segmentPath(s), unix.O_RDONLY)
	if err != nil {
		return err
	}
	r.leave()
	r.segment, r.file = s, file
	r.scan.lenient = false
	r.scan.reset(file, min(segmentHeaderLen, limit), limit, s.first, end)
	if h, ok := readSegmentHeader(file); !ok || h.identity != r.j.who || h.first != s.first {
		r.j.damagedRegion(s.first, file, 0, min(segmentHeaderLen, limit))
	}
	return nil
}

func (r *Reader) leave() {
	if r.file != nil {
		r.file.Close() // only read
		r.file = nil
	}
	r.segment = nil
}

// Commit says that the records up to and with seq need not be kept for this
// reader. seq is that of a record of the last batch. The end of the process
// repeats nothing that was committed, a power cut what was committed within the
// last interval. The error is a disk's; the commit is kept and written later.
func (r *Reader) Commit(seq uint64) error {
	if seq < r.batch.next || seq >= r.next {
		return nil
	}
	done := seq + 1 - r.batch.next
	err := r.cursor.move(position{r.batch.next + done, r.batch.index + done})
	r.j.work()
	if err != nil {
		return fmt.Errorf("write cursor %s: %w", r.j.path(cursorPrefix+r.cursor.name), err)
	}
	return nil
}

// Backlog returns how many records were journaled after the last one committed.
func (r *Reader) Backlog() uint64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	r.cursor.mu.Lock()
	defer r.cursor.mu.Unlock()
	if at := r.cursor.at; at.index < r.j.index {
		return r.j.index - at.index
	}
	return 0
}

// Close makes the cursor durable and gives the name free.
func (r *Reader) Close() error {
	j := r.j
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	r.leave()
	j.mu.Lock()
	i := slices.Index(j.readers, r)
	if i < 0 {
		j.mu.Unlock()
		return nil
	}
	j.readers = slices.Delete(j.readers, i, i+1)
	r.cursor.open = false
	closed := j.closed
	j.mu.Unlock()
	if closed {
		return nil // with the journal, durably
	}
	return r.cursor.flush(true)
}
