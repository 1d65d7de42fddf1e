// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Start says where a reader begins that never had a cursor. One whose cursor is
// damaged begins with the oldest record, whatever it says: it repeats what it need
// not, and loses nothing.
type Start int

const (
	// FromOldest begins with the oldest record that there is.
	FromOldest Start = iota
	// FromEnd begins with the next record to come.
	FromEnd
)

// ReaderOptions are how a reader begins and what it demands.
type ReaderOptions struct {
	Start Start
	// Pin keeps MaxBytes and MaxAge from removing what the reader has not durably
	// passed: instead Append fails with ErrFull. It holds until SetPin, or until the
	// reader is closed; a cursor without a reader pins nothing.
	Pin bool
}

// readRetries is how often a read may fail before what cannot be read is taken
// for damage.
const readRetries = 5

// A Reader follows the journal. Read, TryRead and Trim are one goroutine's; the
// other calls may come from anywhere.
type Reader struct {
	j         *Journal
	cursor    *cursor
	wake      chan struct{}
	interrupt chan struct{}

	position // of the next message to return
	segment  *logSegment
	file     vfs.File
	scan     segment.Scanner
	frame    segment.Frame // that is being returned
	left     uint64        // messages of it
	rest     []byte        // their bytes
	jumped   bool          // removal or Trim has taken what was next: what is missing is no damage
	failures int           // to read, one after the other
	lost     bool          // the cursor could not be read: there is no position
}

// NewReader returns the reader of that name, at the place that it last
// committed. There can be one at a time. The limits remove nothing between Open and
// the first Append or Read, so a reader made there finds all that was left to it.
func (j *Journal) NewReader(name string, opts ReaderOptions) (*Reader, error) {
	if err := checkCursorName(name); err != nil {
		return nil, err
	}
	j.syncMu.Lock() // against removal
	defer j.syncMu.Unlock()
	c, err := j.cursor(name, opts.Start)
	if err != nil {
		return nil, fmt.Errorf("journal %s: cursor of %q: %w", j.dir, name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.open {
		return nil, fmt.Errorf("journal %s: %q has a reader already", j.dir, name)
	}
	c.open, c.pinned = true, opts.Pin
	r := &Reader{j: j, cursor: c, wake: make(chan struct{}, 1), interrupt: make(chan struct{}, 1), position: c.at, lost: !c.usable()}
	r.scan.Mark = j.who.Mark
	r.scan.Damaged = func(off, length int64) { j.damagedRegion(r.segment.first, r.file, off, length) }
	j.readers = append(j.readers, r)
	return r, nil
}

// unknownIndex stands for the index of a place when no file tells it. Nothing
// counts as missing there.
const unknownIndex = ^uint64(0)

// Read fills records with the next ones and returns how many there were, at
// least one, waiting if need be; none, without an error, after an Interrupt, or when
// all that were left are missing: then the first of records is one to commit. Their
// Data is valid until the next Read, TryRead or Trim. skipped is the number of
// records, before the first of them, that were removed or damaged before they
// could be read. The error is io.EOF at the end of a sealed journal, or the
// context's; after any other, which the disk has caused, Read may be called again.
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

// Interrupt makes the Read that waits, or else the next one that would, return
// without records.
func (r *Reader) Interrupt() {
	select {
	case r.interrupt <- struct{}{}:
	default: // there is one that nobody has noticed yet
	}
}

// TryRead is Read without waiting: it returns what is there, which may be nothing. It
// is no use of the journal that lets anything be removed or written.
func (r *Reader) TryRead(records []Record) (n int, skipped uint64, err error) {
	if err := r.findPlace(); err != nil {
		return 0, 0, err
	}
	for n < len(records) {
		if r.left == 0 {
			if n > 0 && !r.scan.Peek() {
				break // the next frame's place is that of the records
			}
			if found, err := r.nextFrame(); !found {
				if n == 0 && err == nil && len(records) > 0 {
					records[0], skipped = r.missingAtEnd()
				}
				return n, skipped, err
			}
		}
		if n > 0 && r.place().next != r.next {
			break // so that the numbers of a batch are consecutive
		}
		if missing := r.missing(); missing > 0 {
			skipped = missing
			if !r.jumped {
				r.j.missingRecords(r.frame.End()-r.left, missing)
			}
		}
		r.jumped = false
		r.position = r.place()
		records[n] = r.step()
		n++
	}
	return n, skipped, nil
}

// place returns the position of the next message of the frame.
func (r *Reader) place() position {
	done := r.frame.Count - r.left
	return position{r.frame.First + done, r.frame.Index + done}
}

// missing returns how many messages are missing before the next one of the frame.
func (r *Reader) missing() uint64 {
	at := r.place()
	if at.next <= r.next || at.index <= r.index || r.index == unknownIndex {
		return 0
	}
	return at.index - r.index
}

// missingAtEnd goes to the end of the journal when all that is there was read and
// more was journaled. last is what was skipped last, for Commit.
func (r *Reader) missingAtEnd() (last Record, skipped uint64) {
	j := r.j
	j.mu.Lock()
	at := len(j.segments)
	read := at == 0 || j.segments[at-1] == r.segment && r.scan.Off == r.segment.size
	if !read || j.away != nil || r.index == unknownIndex || r.index >= j.index {
		j.mu.Unlock()
		return Record{}, 0
	}
	skipped = j.index - r.index
	r.position = j.position
	j.mu.Unlock()
	j.missingRecords(r.next, skipped)
	return Record{Seq: r.next - 1, index: r.index - 1}, skipped
}

func (r *Reader) step() Record {
	rec := Record{Seq: r.next, Time: r.frame.Received(), index: r.index}
	rec.Data, r.rest = segment.Message(r.rest)
	r.left--
	r.next++
	r.index++
	return rec
}

// Commit says that the records up to and with last need not be kept for this
// reader. last is from any of its reads; Data is not looked at, and one that lies
// before what was committed changes nothing. The end of the process repeats
// nothing that was committed, a power cut what was committed within the last
// interval. The error is a disk's; the commit is kept and written later, also by another
// Commit of the same record, which returns nil when it was.
func (r *Reader) Commit(last Record) error {
	return r.commit(position{last.Seq + 1, last.index + 1})
}

func (r *Reader) commit(to position) error {
	r.j.use()
	err := r.cursor.move(to)
	r.j.work()
	if err != nil {
		return fmt.Errorf("write cursor %s: %w", r.cursor.path, err)
	}
	return nil
}

// Backlog returns how many records were journaled after the last one committed.
func (r *Reader) Backlog() uint64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	if at := r.cursor.place(); at.index < r.j.index {
		return r.j.index - at.index
	}
	return 0
}

// SetPin changes ReaderOptions.Pin. What the limits have not removed when it returns
// is safe from them; it waits for a removal, and for an fsync, that is under way. When it
// ends a pin, the next Append has the room that the reader kept from it.
func (r *Reader) SetPin(pin bool) {
	j := r.j
	j.syncMu.Lock() // both against removal
	defer j.syncMu.Unlock()
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.readers, r) {
		r.cursor.pinned = pin
	}
	j.work()
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
	r.cursor.open, r.cursor.pinned = false, false
	later := j.closed || !j.begun // with the journal, durably
	j.mu.Unlock()
	if later {
		return nil
	}
	return r.cursor.flush(true)
}
