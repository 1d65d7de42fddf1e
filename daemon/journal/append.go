// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Append adds one batch that was received at t, in order and as a whole: when it
// returns an error, nothing of the batch is in the journal, and the same batch
// may be appended again. It copies the messages. An empty batch leaves no trace.
// The error wraps ErrFull while a pinned reader holds MaxBytes of records.
func (j *Journal) Append(generation uint64, t time.Time, messages [][]byte) error {
	if len(messages) == 0 {
		return nil
	}
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	if err := j.ready(); err != nil {
		return err
	}
	length := int64(segment.FrameHeaderLen + segment.PayloadLen(messages))
	if length > segment.MaxFrameLen {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, segment.MaxFrameLen)
	}
	f := segment.Frame{Count: uint64(len(messages)), Generation: generation, Time: t.UnixNano(), Length: length}
	if err := j.prepare(&f); err != nil {
		return err
	}
	j.encoded = segment.AppendFrame(j.encoded[:0], j.who.Mark, &f, messages)
	if err := j.write(j.encoded); err != nil {
		return fmt.Errorf("journal %s: append: %w", j.dir, err)
	}
	j.publish(&f)
	return nil
}

// ready makes the journal fit for writing, the first time, and pays what is owed. The
// caller holds appendMu.
func (j *Journal) ready() error {
	j.mu.Lock()
	begun, owed := j.begun || j.sealed, j.owed
	j.used = true
	j.mu.Unlock()
	if !begun {
		if err := j.begin(); err != nil {
			return fmt.Errorf("journal %s: %w", j.dir, err)
		}
	}
	if owed {
		return j.payOwed()
	}
	return nil
}

// prepare gives f its numbers and sees to it that there is a segment for it.
func (j *Journal) prepare(f *segment.Frame) error {
	j.mu.Lock()
	f.First, f.Index = j.next, j.index
	sealed, away, fault, reserved := j.sealed, j.away, j.fault, j.reserved
	j.mu.Unlock()
	if sealed {
		return ErrSealed
	}
	if away != nil {
		return fmt.Errorf("journal %s: %w", j.dir, away)
	}
	if fault != nil {
		return fmt.Errorf("journal %s: the disk does not keep what it was given: %w", j.dir, fault)
	}
	if next := f.End() + rotateTries; next > reserved { // rotate may use so many
		if err := j.reserve(next); err != nil {
			return fmt.Errorf("journal %s: reserve numbers: %w", j.dir, err)
		}
	}
	if err := j.makeRoom(f.Length); err != nil {
		return fmt.Errorf("journal %s: %w", j.dir, err)
	}
	if a := j.active; a == nil || a.size > segment.HeaderLen && (a.size+f.Length > j.opts.SegmentBytes || j.tooOld(a)) {
		if err := j.rotate(); err != nil {
			return fmt.Errorf("journal %s: begin a segment: %w", j.dir, err)
		}
		f.First = j.active.first
		// Again: the last segment may be what is too much, when the limit was larger.
		if err := j.makeRoom(f.Length); err != nil {
			return fmt.Errorf("journal %s: %w", j.dir, err)
		}
	}
	return nil
}

// reserve makes sure, durably, that the numbers from next on may be handed out.
// The keeper does it in time and without appendMu: Append need not wait for the
// disk then.
func (j *Journal) reserve(next uint64) error {
	j.stateSync.Lock()
	defer j.stateSync.Unlock()
	j.mu.Lock()
	reserved := j.reserved
	j.mu.Unlock()
	if reserved > next+reserveStep/2 {
		return nil
	}
	return j.changeState(func(s *state) { s.reserved, s.clean = next+reserveStep, false })
}

// changeState changes the state, durably. The caller holds stateSync. What others
// change meanwhile, with stateMu, does not wait for the disk.
func (j *Journal) changeState(change func(*state)) error {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	s := j.state
	change(&s)
	if err := j.stateSlots.Write(s.encode()); err != nil {
		return err
	}
	j.state = s
	begun, err := j.stateSlots.BeginSync()
	if err != nil || !begun {
		return err
	}
	file := j.stateSlots
	j.stateMu.Unlock()
	err = file.Fsync()
	j.stateMu.Lock()
	if err = j.stateSlots.EndSync(err); err != nil {
		return err
	}
	j.setReserved(s.reserved)
	return nil
}

func (j *Journal) setReserved(reserved uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reserved = reserved
}

// noteEnds lets the state tell which segments there must be: the oldest before those
// before it are removed, the newest when it is durable. It need not survive the machine
// in time: the state then tells of fewer.
func (j *Journal) noteEnds(oldest, newest uint64) {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	s := j.state
	s.oldest, s.newest = max(s.oldest, oldest), max(s.newest, newest)
	if s == j.state || j.stateSlots == nil {
		return
	}
	if j.stateSlots.Write(s.encode()) == nil {
		j.state = s
	}
}

// suspect lets the next process know that an fsync has failed, should this one
// end before it has mended that. The note need not survive the machine: what it
// warns of is in the same memory.
func (j *Journal) suspect() {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	j.state.suspect = true
	if j.stateSlots == nil {
		return // the last process's still says that its stop was not clean
	}
	_ = j.stateSlots.Write(j.state.encode()) // it overwrites a page in memory; nothing else can be done
}

// rotate begins a new segment. The old one is closed when the keeper has made it
// durable: never before there is a new one, so a full disk does not leave the
// journal without.
func (j *Journal) rotate() error {
	for tries := 1; ; tries++ {
		err := j.newSegment()
		if !errors.Is(err, os.ErrExist) || tries == rotateTries {
			return err
		}
		// A failure has left an empty segment of that name, or somebody has put a file
		// there. Numbers are cheaper than to find out what it is.
		j.mu.Lock()
		j.next++
		j.mu.Unlock()
	}
}

// rotateTries is how many names a new segment is tried under.
const rotateTries = 16

func (j *Journal) newSegment() error {
	j.mu.Lock()
	if n := len(j.segments); n > 0 && j.segments[n-1].first == j.next {
		// Likewise: it may be the only one to tell the last generation.
		j.next++
	}
	h := segment.Header{Identity: j.who, First: j.next, Index: j.index, Generation: j.generation, Synced: j.synced}
	j.mu.Unlock()
	now := j.opts.Now()
	s := &logSegment{first: h.First, end: h.First, size: segment.HeaderLen, began: now, used: now, sure: true, index: h.Index}
	file, err := j.createSegment(j.segmentPath(s), &h)
	if err != nil {
		return err
	}
	s.file = file
	if info, err := file.Stat(); err == nil { // else it will be taken for another one, and written anew
		s.id = info.ID
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = append(j.segments, s)
	j.bytes += s.size
	j.dirDirty = j.dirDirty || j.opts.Fsync != FsyncAlways
	j.active = s
	j.work()
	return nil
}

// createSegment makes a file that holds h.
func (j *Journal) createSegment(path string, h *segment.Header) (vfs.File, error) {
	file, err := j.fs.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, err
	}
	_, err = file.WriteAt(h.Encode(), 0)
	if err == nil && j.opts.Fsync == FsyncAlways {
		err = j.fs.SyncDir(j.dir)
	}
	if err != nil {
		file.Close()          // the first error tells more
		_ = j.fs.Remove(path) // the next one has another name
		return nil, err
	}
	return file, nil
}

// write puts b behind the active segment, or takes back what it wrote.
func (j *Journal) write(b []byte) error {
	a := j.active
	_, err := a.file.WriteAt(b, a.size)
	if err == nil && j.opts.Fsync == FsyncAlways {
		if err = a.file.Sync(); err != nil {
			// What a failed fsync leaves on the disk is not known, and the next one may
			// succeed without having written it. A segment that holds nothing yet is
			// written from its beginning, not left behind at each attempt.
			j.suspect()
			if a.size > segment.HeaderLen || writeHeaderAgain(a.file) != nil {
				j.active = nil
			}
		}
	}
	if err == nil {
		return nil
	}
	if terr := a.file.Truncate(a.size); terr != nil {
		j.active = nil
	}
	return err
}

func writeHeaderAgain(file vfs.File) error {
	b := make([]byte, segment.HeaderLen)
	_, err := file.ReadAt(b, 0)
	if err == nil {
		_, err = file.WriteAt(b, 0)
	}
	return err
}

// publish shows a written frame to the readers.
func (j *Journal) publish(f *segment.Frame) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a := j.active
	durable := j.opts.Fsync == FsyncAlways && j.synced == j.last
	a.size += f.Length
	a.end = f.End()
	a.used = f.Received()
	j.bytes += f.Length
	j.next, j.index, j.last, j.generation = f.End(), j.index+f.Count, f.End()-1, f.Generation
	if durable {
		a.synced, j.synced = a.size, j.last
	}
	j.wake()
	j.work()
}
