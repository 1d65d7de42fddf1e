// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Start is where a reader begins that never had a cursor. A reader whose cursor is damaged
// begins with the oldest record: it repeats records, but does not lose any.
type Start int

const (
	// FromOldest begins with the oldest record.
	FromOldest Start = iota
	// FromEnd begins with the next record that is appended.
	FromEnd
)

// ReaderOptions are the options of a reader.
type ReaderOptions struct {
	Start Start
	// Pin prevents MaxBytes and MaxAge from removing records that the reader has not durably
	// passed: instead Append fails with ErrFull. It is in effect until SetPin, or until the
	// reader is closed. A cursor without a reader pins nothing.
	Pin bool
}

// readRetries is how often a read may fail before what cannot be read counts as damage.
const readRetries = 5

// A Reader follows the journal. Read, TryRead and Trim must be called by one goroutine;
// the other methods are safe for concurrent use.
type Reader struct {
	j         *Journal
	cursor    *cursor.Cursor
	wake      signal
	interrupt signal
	oldest    receipt

	segment.Position             // of the next message to return
	segment          *logSegment // changed with the lock of the readers held
	file             vfs.File    // likewise
	scan             segment.Scanner
	frame            segment.Frame // the present frame
	left             uint64        // messages of it that were not returned yet
	rest             []byte        // their bytes
	jumped           bool          // removal or Trim has skipped messages: those that are missing are not damaged
	failures         int           // consecutive failures to read
	lost             bool          // the cursor could not be read: the position is not known
}

// NewReader returns the reader of that name, at the position that it last committed. A
// name can have one reader at a time. The limits remove nothing between Open and the first
// Append or Read, so a reader that is created there finds all records that it has not read.
func (j *Journal) NewReader(name string, opts ReaderOptions) (*Reader, error) {
	if err := cursor.CheckName(name); err != nil {
		return nil, err
	}
	j.syncer.mu.Lock() // against removal
	defer j.syncer.mu.Unlock()
	c, err := j.openCursor(name, opts.Start)
	if err != nil {
		return nil, fmt.Errorf("journal %s: cursor of %q: %w", j.dir, name, err)
	}
	if !j.cursors.Open(c, opts.Pin) {
		return nil, fmt.Errorf("journal %s: %q has a reader already", j.dir, name)
	}
	r := &Reader{j: j, cursor: c, wake: make(signal, 1), interrupt: make(signal, 1), Position: c.Position(), lost: !c.Usable()}
	r.scan.Mark = j.who.Mark
	r.scan.Damaged = func(off, length int64) { j.damage.Region(r.segment.first, r.file, off, length) }
	j.readers.add(r)
	return r, nil
}

// Read stores the next records in records and returns their number n. It waits until there
// is at least one. Their Data is valid until the next Read, TryRead or Trim. skipped is the
// number of records before the first of them that were removed or damaged before they could
// be read. If all remaining records are missing, n is 0 and records[0] is the record to
// commit. After an Interrupt n and skipped are 0. The error is io.EOF at the end of a sealed
// journal, or that of the context. After any other error, which the disk has caused, Read
// may be called again.
func (r *Reader) Read(ctx context.Context, records []Record) (n int, skipped uint64, err error) {
	r.j.use()
	for {
		n, skipped, err := r.TryRead(records)
		if n > 0 || skipped > 0 || err != nil {
			return n, skipped, err
		}
		select {
		case <-r.wake:
		case <-r.interrupt:
			return 0, 0, nil
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// Interrupt makes the Read that waits, or else the next Read that would wait, return
// without records.
func (r *Reader) Interrupt() { r.interrupt.set() }

// TryRead is Read without waiting: n and skipped may be 0. TryRead is not a use of the
// journal that permits changes of files.
func (r *Reader) TryRead(records []Record) (n int, skipped uint64, err error) {
	if err := r.findPosition(); err != nil {
		return 0, 0, err
	}
	for n < len(records) {
		if r.left == 0 {
			if n > 0 && !r.scan.Peek() {
				break // the next frame would overwrite the records
			}
			if found, err := r.nextFrame(); !found {
				if n == 0 && err == nil && len(records) > 0 {
					records[0], skipped = r.missingAtEnd()
				}
				return n, skipped, err
			}
		}
		if n > 0 && r.framePosition().Next != r.Next {
			break // so that the numbers of the records are consecutive
		}
		if missing := r.missing(); missing > 0 {
			skipped = missing
			if !r.jumped {
				r.j.damage.MissingRecords(r.frame.End()-r.left, missing)
			}
		}
		r.jumped = false
		r.Position = r.framePosition()
		records[n] = r.step()
		n++
	}
	return n, skipped, nil
}

// framePosition returns the position of the next message of the frame.
func (r *Reader) framePosition() segment.Position {
	done := r.frame.Count - r.left
	return segment.Position{Next: r.frame.First + done, Index: r.frame.Index + done}
}

// missing returns how many messages are missing before the next one of the frame.
func (r *Reader) missing() uint64 {
	at := r.framePosition()
	if at.Next <= r.Next || at.Index <= r.Index || r.Index == segment.UnknownIndex {
		return 0
	}
	return at.Index - r.Index
}

// missingAtEnd moves to the end of the journal if all existing records were read and more
// were journaled. last is the last record that was skipped, for Commit.
func (r *Reader) missingAtEnd() (last Record, skipped uint64) {
	j := r.j
	j.index.mu.Lock()
	at, end := len(j.index.segments), j.index.Position
	read := at == 0 || j.index.segments[at-1] == r.segment && r.scan.Off == r.segment.size
	j.index.mu.Unlock()
	// Ask after that whether the files are away: they are noted as away before the index
	// forgets a segment.
	if away, _, _ := j.cond.faults(); !read || away != nil || r.Index == segment.UnknownIndex || r.Index >= end.Index {
		return Record{}, 0
	}
	skipped = end.Index - r.Index
	r.Position = end
	j.damage.MissingRecords(r.Next, skipped)
	return Record{Seq: r.Next - 1, Index: r.Index - 1}, skipped
}

// step returns the next message of the frame.
func (r *Reader) step() Record {
	rec := Record{Seq: r.Next, Time: r.frame.Received(), Index: r.Index}
	rec.Data, r.rest = segment.Message(r.rest)
	r.left--
	r.Next++
	r.Index++
	return rec
}

// Commit notes that the reader does not need the records up to and including last any
// more. last is a record of any earlier read; Data is not used. A record before the last
// commit changes nothing. After the end of the process no committed record is repeated,
// after a power cut those of the last interval may be. The error is that of the disk. The
// commit is then written later, also by another Commit of the same record, which returns
// nil if that succeeds.
func (r *Reader) Commit(last Record) error {
	return r.commit(last.Position())
}

func (r *Reader) commit(to segment.Position) error {
	r.j.use()
	err := r.cursor.Move(to)
	r.j.work.set()
	if err != nil {
		return fmt.Errorf("write cursor %s: %w", r.cursor.Path, err)
	}
	return nil
}

// Backlog returns how many records were journaled after the last committed record.
func (r *Reader) Backlog() uint64 {
	at := r.cursor.Position()
	if count := r.j.index.count(); at.Index < count {
		return count - at.Index
	}
	return 0
}

// Passed reports whether the last committed record is the given one or a later one. If not, ahead is how
// many records were journaled after the last committed record and before the given one.
func (r *Reader) Passed(record Record) (passed bool, ahead uint64) {
	at := r.cursor.Position()
	if record.Seq < at.Next {
		return true, 0
	}
	return false, record.Index - min(record.Index, at.Index)
}

// SetPin changes ReaderOptions.Pin. After it has pinned the reader, the limits remove no
// record that still exists. It waits for a running removal or fsync. After it has ended a
// pin, the next Append can use the space that the reader has retained.
func (r *Reader) SetPin(pin bool) {
	j := r.j
	j.syncer.mu.Lock() // both against removal
	defer j.syncer.mu.Unlock()
	j.writer.mu.Lock()
	defer j.writer.mu.Unlock()
	if j.readers.contains(r) {
		j.cursors.Pin(r.cursor, pin)
	}
	j.work.set()
}

// Close makes the cursor durable and frees the name.
func (r *Reader) Close() error {
	j := r.j
	j.syncer.mu.Lock()
	defer j.syncer.mu.Unlock()
	r.leave()
	if !j.readers.remove(r) {
		return nil
	}
	j.cursors.Leave(r.cursor)
	if begun, closed := j.cond.lifetime(); closed || !begun {
		return nil // Close of the journal makes it durable
	}
	return r.cursor.Flush(true)
}
