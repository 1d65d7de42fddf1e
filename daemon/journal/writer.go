// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/internal/progress"
)

// Append adds one batch that was received at t, in order and as a whole: if it returns an
// error, the journal contains nothing of the batch, and the same batch may be appended
// again. It copies the messages. An empty batch leaves no trace. The error wraps ErrFull
// while a pinned reader retains MaxBytes of records.
//
// Append stores the generation of the batch in *generation before it writes the batch, and 0
// if it fails. So if *generation is memory that survives the process, it shows whether
// the journal contains the batch; see Recovered. A nil pointer is allowed.
func (j *Journal) Append(generation *atomic.Uint64, t time.Time, messages [][]byte) error {
	if len(messages) == 0 {
		return nil
	}
	for {
		err := j.writer.append(generation, t, messages)
		if !errors.Is(err, errUnsynced) {
			return err
		}
		if err := j.syncer.flushAll(); err != nil {
			return fmt.Errorf("journal %s: %w", j.dir, err)
		}
	}
}

// errUnsynced is returned while an earlier policy has left something that FsyncAlways
// must make durable before it appends.
var errUnsynced = errors.New("earlier records are not durable")

// A writer appends batches to the newest segment.
type writer struct {
	*env
	cond      *condition
	repairs   *repairs
	state     *state.File
	retention *retention
	readers   *readerSet
	index     *index

	beat    progress.Beat // of the present append
	mu      sync.Mutex    // held while writing
	active  *logSegment   // nil until the first Append after Open or after a failure
	encoded []byte        // scratch: the frame that is written
}

// append is Append, but it returns errUnsynced, without a change, if the syncer has to
// run first.
func (w *writer) append(generation *atomic.Uint64, t time.Time, messages [][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beat.Mark()
	defer w.beat.Stop()
	if generation == nil {
		generation = new(atomic.Uint64)
	}
	err := w.add(generation, t, messages)
	if err != nil {
		generation.Store(0) // before the next batch gets this generation
	}
	return err
}

// add is append. The caller holds mu.
func (w *writer) add(generation *atomic.Uint64, t time.Time, messages [][]byte) error {
	c := w.cond.enter()
	if err := w.ready(&c); err != nil {
		return err
	}
	length := int64(segment.FrameHeaderLen + segment.PayloadLen(messages))
	if length > segment.MaxFrameLen {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, segment.MaxFrameLen)
	}
	f := segment.Frame{Count: uint64(len(messages)), Time: t.UnixNano(), Length: length}
	if err := w.prepare(&f, &c); err != nil {
		return err
	}
	w.encoded = segment.AppendFrame(w.encoded[:0], w.who.Mark, &f, messages)
	generation.Store(f.Generation)
	if err := w.write(w.encoded); err != nil {
		return fmt.Errorf("journal %s: append: %w", w.dir, err)
	}
	w.index.publish(&f, w.active, w.newest(&f), w.fsync() == FsyncAlways)
	w.readers.wake()
	w.work.set()
	return nil
}

// newest returns the time of receipt of the newest message in the active segment and f. It may
// not be that of f: batches of several receivers are appended in the order of their calls. The
// caller holds mu.
func (w *writer) newest(f *segment.Frame) time.Time {
	before, received := w.active.used, f.Received()
	if w.active.size > segment.HeaderLen && received.Before(before) && w.steady(received).Before(w.steady(before)) {
		return before
	}
	return received
}

// ready makes the journal fit for writing. The caller holds mu.
func (w *writer) ready(c *entry) error {
	if !c.begun && !w.index.isSealed() {
		if err := w.repairs.run(); err != nil {
			return fmt.Errorf("journal %s: %w", w.dir, err)
		}
	}
	if c.unsynced && w.fsync() == FsyncAlways {
		return errUnsynced
	}
	return nil
}

// prepare sets the numbers of f, and makes sure that there is a segment for it.
func (w *writer) prepare(f *segment.Frame, c *entry) error {
	w.index.mu.Lock()
	f.First, f.Index, f.Generation = w.index.Next, w.index.Index, w.index.generation+1
	sealed := w.index.sealed
	w.index.mu.Unlock()
	switch {
	case sealed:
		return ErrSealed
	case c.away != nil:
		return fmt.Errorf("journal %s: %w", w.dir, c.away)
	case c.fault != nil:
		return fmt.Errorf("journal %s: the disk does not keep what was written: %w", w.dir, c.fault)
	}
	if next := f.End() + rotateTries; next > w.state.Reserved() { // rotate may use so many
		if err := w.state.Reserve(next); err != nil {
			return fmt.Errorf("journal %s: reserve numbers: %w", w.dir, err)
		}
	}
	if err := w.retention.makeRoom(f.Length); err != nil {
		return fmt.Errorf("journal %s: %w", w.dir, err)
	}
	if !w.mustRotate(f.Length) {
		return nil
	}
	if err := w.rotate(); err != nil {
		return fmt.Errorf("journal %s: begin a segment: %w", w.dir, err)
	}
	f.First = w.active.first
	// Again: the last segment may exceed the limit, if the limit was larger before.
	if err := w.retention.makeRoom(f.Length); err != nil {
		return fmt.Errorf("journal %s: %w", w.dir, err)
	}
	return nil
}

// mustRotate reports whether a frame of that length needs a new segment.
func (w *writer) mustRotate(length int64) bool {
	a, o := w.active, w.options.Load()
	if a == nil {
		return true
	}
	full := a.size+length > o.SegmentBytes
	old := o.MaxAge > 0 && w.age(a.began) > o.MaxAge // so that the age limit can remove it
	return a.size > segment.HeaderLen && (full || old)
}

// rotateTries is how many names rotate tries for a new segment.
const rotateTries = 16

// rotate begins a new segment. The syncer closes the old one after it has made it
// durable. The new one is created first, so that a full disk does not leave the journal
// without a segment. The caller holds mu.
func (w *writer) rotate() error {
	for tries := 1; ; tries++ {
		err := w.newSegment()
		if !errors.Is(err, os.ErrExist) || tries == rotateTries {
			return err
		}
		// A failure has left an empty segment of that name, or the file is of another
		// program. Skipping a number is cheaper than finding out.
		w.index.skip()
	}
}

func (w *writer) newSegment() error {
	x := w.index
	x.mu.Lock()
	if n := len(x.segments); n > 0 && x.segments[n-1].first == x.Next {
		// Likewise: the last generation may be in that segment only.
		x.Next++
	}
	h := segment.Header{Identity: w.who, First: x.Next, Index: x.Index, Generation: x.generation, Synced: x.synced}
	x.mu.Unlock()
	now := w.now()
	s := &logSegment{first: h.First, end: h.First, size: segment.HeaderLen, began: now, used: now, sure: true, index: h.Index}
	file, err := w.createSegment(w.segmentPath(s), &h)
	if err != nil {
		return err
	}
	s.file = file
	if info, err := file.Stat(); err == nil { // else it is mistaken for another file, and written again
		s.id = info.ID
	}
	x.add(s, w.fsync() != FsyncAlways)
	w.active = s
	w.work.set()
	return nil
}

// createSegment creates a file that contains h.
func (w *writer) createSegment(path string, h *segment.Header) (vfs.File, error) {
	file, err := w.fs.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, err
	}
	_, err = file.WriteAt(h.Encode(), 0)
	if err == nil && w.fsync() == FsyncAlways {
		err = w.fs.SyncDir(w.dir)
	}
	if err != nil {
		file.Close()          // the first error is more useful
		_ = w.fs.Remove(path) // the next segment has another name
		return nil, err
	}
	return file, nil
}

// write appends b to the active segment. If it fails, it removes what it has written.
func (w *writer) write(b []byte) error {
	a := w.active
	_, err := a.file.WriteAt(b, a.size)
	if err == nil && w.fsync() == FsyncAlways {
		if err = a.file.Sync(); err != nil {
			// After a failed fsync the content of the disk is not known, and the next fsync may
			// succeed without a write. A segment without a frame is written again from its
			// beginning: a new one for each attempt would leave many behind.
			w.state.NoteSyncFailure()
			if a.size > segment.HeaderLen || writeHeaderAgain(a.file) != nil {
				w.active = nil
			}
		}
	}
	if err == nil {
		return nil
	}
	if terr := a.file.Truncate(a.size); terr != nil {
		w.active = nil
		_, _ = a.file.WriteAt(make([]byte, segment.FrameHeaderLen), a.size) // so that a later process does not find a frame there
	}
	return err
}

// writeHeaderAgain writes the header of a segment over itself, so that the kernel marks
// its page dirty.
func writeHeaderAgain(file vfs.File) error {
	b := make([]byte, segment.HeaderLen)
	_, err := file.ReadAt(b, 0)
	if err == nil {
		_, err = file.WriteAt(b, 0)
	}
	return err
}

// stop makes Append fail until the journal is where it should be. It reports whether
// Append did not fail before.
func (w *writer) stop() (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = nil
	return w.cond.leave()
}

// seal ends the log.
func (w *writer) seal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index.mu.Lock()
	w.index.sealed = true
	w.index.mu.Unlock()
	w.readers.wake()
}
