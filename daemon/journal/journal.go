// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
)

// A Record is one message in the journal. Its Data must not be modified.
type Record = segment.Record

// Errors that callers may distinguish. The errors that wrap them name the
// directory and the remedy.
var (
	ErrSealed   = errors.New("journal is sealed")
	ErrClosed   = cursor.ErrClosed
	ErrLocked   = errors.New("another process has the journal open")
	ErrNewer    = layout.ErrNewer
	ErrForeign  = layout.ErrForeign
	ErrTooLarge = errors.New("batch is too large for the journal")
	ErrFull     = errors.New("journal is full")
)

// A Journal is an open journal. It is safe for concurrent use. The package documentation
// describes its parts, and the order of their locks.
type Journal struct {
	*env
	maintainer *maintainer
	location   *location
	syncer     *syncer
	writer     *writer
	repairs    *repairs
	retention  *retention
	state      *state.File
	cursors    *cursor.Set
	readers    *readerSet
	index      *index
	damage     *damage.Log
	cond       *condition
	oldest     receipt
	recovered  uint64 // generation of the newest batch that Open has found
}

// ID returns the id of this journal, which no other journal has. Together with the number
// of a record it identifies the record.
func (j *Journal) ID() string { return layout.FormatID(j.who.ID) }

// Recovered returns the generation of the newest batch that Open has found, 0 without one. A
// batch that an earlier process has tried to append is in the journal exactly if its generation
// is not 0 and not greater. This holds only until the next Append, which may use a generation
// again that was not found.
func (j *Journal) Recovered() uint64 { return j.recovered }

// Stats are the numbers of a journal. Those up to Bytes are of the same moment.
type Stats struct {
	First  uint64 // lowest number that a record in the journal can have
	Last   uint64 // highest number that was used, or skipped because it may have been used
	Newest uint64 // number of the newest record that exists
	Synced uint64 // this record and all before it survive a power cut; equals Newest at rest
	Count  uint64 // records that were ever journaled
	Bytes  int64  // size of all segments
	Limit  int64  // of Bytes; 0 means unlimited

	Damage     damage.Counts
	Unreadable int   // segments that could not be read at the last attempt
	Fault      error // why the disk does not accept what is appended, or nil
}

// Stats returns the present numbers.
func (j *Journal) Stats() Stats {
	s := j.index.stats()
	s.Limit = j.options.Load().MaxBytes
	s.Damage, s.Unreadable = j.damage.Counts()
	s.Fault = cmp.Or(j.cond.faults())
	return s
}

func (x *index) stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := Stats{First: x.Next, Last: x.Next - 1, Newest: x.last, Synced: x.synced, Count: x.Index, Bytes: x.bytes}
	if len(x.segments) > 0 {
		s.First = x.segments[0].first
	}
	return s
}

// use notes that the journal is used. The first use wakes the maintainer.
func (j *Journal) use() {
	if j.cond.use() {
		j.work.set()
	}
}

// Cursors returns the names of the cursors in the journal. All of them retain records,
// also those without a reader.
func (j *Journal) Cursors() []string {
	cursors := j.cursors.All()
	names := make([]string, 0, len(cursors))
	for _, c := range cursors {
		names = append(names, c.Name)
	}
	return names
}

// RemoveCursor removes the cursor of a reader that is not needed any more.
func (j *Journal) RemoveCursor(name string) error {
	j.syncer.mu.Lock()
	defer j.syncer.mu.Unlock()
	c := j.cursors.Remove(name)
	if c == nil {
		return fmt.Errorf("journal %s: no cursor %q without a reader", j.dir, name)
	}
	j.index.setDirDirty()
	j.work.set()
	c.Release()
	return c.RemoveFile()
}

// Seal ends the journal: nothing can be appended, and a reader that has read everything
// gets io.EOF.
func (j *Journal) Seal() { j.writer.seal() }

// Close seals the journal, makes everything durable and unlocks the directory. The readers
// must not be used any more. If the journal was not used, Close changes no file.
func (j *Journal) Close() error {
	j.Seal()
	if j.cond.close() {
		return nil
	}
	j.maintainer.stop()
	j.syncer.mu.Lock()
	defer j.syncer.mu.Unlock()
	defer j.release()
	if !j.cond.isUsed() {
		return nil
	}
	err := j.repairs.run()
	if err == nil {
		err = j.syncer.syncSegments()
	}
	if err == nil {
		err = j.writeCleanState()
	}
	err = errors.Join(err, j.cursors.Flush(true), j.retention.removeConsumed(), j.syncer.syncDir())
	if err != nil {
		return fmt.Errorf("journal %s: close: %w", j.dir, err)
	}
	return nil
}

// writeCleanState lets the next start continue where this journal ends. Nothing is
// appended any more.
func (j *Journal) writeCleanState() error {
	return j.state.Change(func(v *state.Value) {
		j.index.mu.Lock()
		defer j.index.mu.Unlock()
		v.Clean, v.Position, v.Generation, v.Synced = true, j.index.Position, j.index.generation, j.index.synced
		v.Oldest, v.Newest = j.index.ends()
	})
}

// release closes all files.
func (j *Journal) release() {
	for _, s := range append(j.index.takeOrphans(), j.index.segments...) {
		s.closeWritten()
	}
	j.cursors.Release()
	j.state.Close()
	j.location.close()
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// notEOF returns err, or nil if it is io.EOF.
func notEOF(err error) error {
	if isEOF(err) {
		return nil
	}
	return err
}
