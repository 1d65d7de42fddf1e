// SPDX-License-Identifier: Apache-2.0

// Package damage counts and logs the damage of a journal, and keeps copies of damaged parts.
package damage

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Counts are counted since the journal was opened. Each piece counts once, for any
// number of readers.
type Counts struct {
	Regions uint64 // pieces of segments without a valid frame
	Bytes   uint64 // in these pieces
	Records uint64 // missing before a record that a reader found
	Torn    uint64 // bytes of an incomplete last write, which the start cuts off
	Cursors uint64 // cursors that could not be used and were reset
	Repairs uint64 // of meta, state and other small files
	Strays  uint64 // files with the name of a segment that do not belong to this journal
	Missing uint64 // segments that something else has removed or replaced
}

const (
	// QuarantineName is the name of the directory for copies of broken pieces.
	QuarantineName = "quarantine"
	// MaxQuarantineBytes limits the size of these copies. Damage beyond it is only counted.
	MaxQuarantineBytes = 16 << 20

	maxSeen = 1 << 14 // places that are remembered; damage elsewhere may count twice
)

// A place is where damage was found: an offset in the segment of that number, or before
// the record of that number (offset -1).
type place struct {
	number uint64
	off    int64
}

// A Log records damage. It is safe for concurrent use. No other lock is taken while its
// lock is held.
type Log struct {
	fs    vfs.FS
	dir   string
	log   *slog.Logger
	later func(what string, do func() error)

	mu         sync.Mutex
	counts     Counts
	seen       map[place]struct{} // places that were counted
	quarantine int64              // bytes in the quarantine
	unread     map[string]error   // segments, by name, that could not be read at the last attempt
}

// New returns a log of the journal in dir. later postpones a change of a file until the
// journal is used.
func New(fs vfs.FS, dir string, log *slog.Logger, later func(what string, do func() error)) *Log {
	return &Log{fs: fs, dir: dir, log: log, later: later, seen: map[place]struct{}{}, unread: map[string]error{}}
}

// MeasureQuarantine adds up the existing copies. If they cannot be listed, no copy is added.
func (l *Log) MeasureQuarantine() {
	files, err := l.fs.List(l.path(QuarantineName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.log.Error("copies of damaged pieces cannot be stored", "error", err)
		l.quarantine = MaxQuarantineBytes
	}
	for _, f := range files {
		l.quarantine += f.Bytes
	}
}

// Counts returns the counters, and how many segments could not be read at the last attempt.
func (l *Log) Counts() (c Counts, unreadable int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts, len(l.unread)
}

// Add adds to the counters.
func (l *Log) Add(count func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count(&l.counts)
}

// first reports whether a place is reported for the first time. The caller holds mu.
func (l *Log) first(p place) bool {
	if _, known := l.seen[p]; known {
		return false
	}
	if len(l.seen) < maxSeen {
		l.seen[p] = struct{}{}
	}
	return true
}

// Region counts a piece of the segment that begins with number first, and stores a copy.
// file is the open segment; nil means that the copy is made when the journal is used.
func (l *Log) Region(first uint64, file vfs.File, off, length int64) {
	l.mu.Lock()
	isNew := l.first(place{first, off})
	if isNew {
		l.counts.Regions++
		l.counts.Bytes += uint64(length)
	}
	l.mu.Unlock()
	if isNew {
		l.log.Error("a piece of the journal contains no valid record", "file", l.segmentPath(first), "offset", off, "bytes", length)
		l.keepCopy(first, file, off, length)
	}
}

// Torn counts an incomplete last write, and stores a copy when the journal is used.
func (l *Log) Torn(first uint64, off, length int64) {
	l.Add(func(c *Counts) { c.Torn += uint64(length) })
	l.log.Info("the journal ends with an incomplete write; it is cut off", "file", l.segmentPath(first), "offset", off, "bytes", length)
	l.keepCopy(first, nil, off, length)
}

// MissingRecords counts records that are missing before the record of that number.
func (l *Log) MissingRecords(number, count uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first(place{number, -1}) {
		l.counts.Records += count
		l.log.Error("records of the journal are missing", "records", count, "before_number", number)
	}
}

// Unreadable notes that a segment could not be read.
func (l *Log) Unreadable(first uint64, err error) {
	name := segment.Name(first)
	l.mu.Lock()
	_, known := l.unread[name]
	l.unread[name] = err
	l.mu.Unlock()
	if !known {
		l.log.Error("a segment of the journal cannot be read; delivery waits for it", "file", l.path(name), "error", err)
	}
}

// Readable notes that a segment could be read.
func (l *Log) Readable(first uint64) {
	if l.Forget(first) != nil {
		l.log.Info("a segment of the journal can be read again", "file", l.segmentPath(first))
	}
}

// Forget forgets that a segment could not be read, and returns the error that it had.
func (l *Log) Forget(first uint64) error {
	name := segment.Name(first)
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.unread[name]
	delete(l.unread, name)
	return err
}

// keepCopy stores a copy of a piece of a segment, if the quarantine has space for it.
func (l *Log) keepCopy(first uint64, file vfs.File, off, length int64) {
	l.mu.Lock()
	fits := l.quarantine+length <= MaxQuarantineBytes
	if fits {
		l.quarantine += length
	}
	l.mu.Unlock()
	switch {
	case !fits:
		l.log.Warn("a damaged piece of the journal is not copied: the quarantine is full",
			"directory", l.path(QuarantineName), "most_bytes", MaxQuarantineBytes)
	case file == nil:
		l.later("copy a damaged piece of "+l.segmentPath(first), func() error { return l.openAndCopy(first, off, length) })
	default:
		if err := l.copyPiece(first, file, off, length); err != nil {
			l.log.Warn("a damaged piece of the journal is not copied", "error", err)
		}
	}
}

// openAndCopy is copyPiece for a segment that is not open.
func (l *Log) openAndCopy(first uint64, off, length int64) error {
	file, err := l.fs.Open(l.segmentPath(first), unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close() // nothing was written
	return l.copyPiece(first, file, off, length)
}

// copyPiece copies a piece of a segment into the quarantine. The damage is counted
// already, and nothing depends on the copy.
func (l *Log) copyPiece(first uint64, file vfs.File, off, length int64) (err error) {
	if err := l.fs.Mkdir(l.path(QuarantineName)); err != nil {
		return err
	}
	name := fmt.Sprintf("%s/%0*d-%d.bad", QuarantineName, segment.SeqDigits, first, off)
	to, err := l.fs.Open(l.path(name), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if errors.Is(err, os.ErrExist) {
		return nil // copied by an earlier start
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
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

func (l *Log) segmentPath(first uint64) string { return l.path(segment.Name(first)) }
