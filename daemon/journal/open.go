// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open opens the journal in a directory, and makes it when there is none. No
// damage makes it fail: what is broken is repaired or left out, and counted.
func Open(dir string, opts Options) (*Journal, error) {
	opts.setDefaults()
	j := &Journal{
		dir: dir, opts: opts, fs: opts.FS,
		cursors: map[string]*cursor{}, seen: map[place]struct{}{},
		kick: make(chan struct{}, 1), changed: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		j.release()
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
			err = fmt.Errorf("%w; the directory must be writable for the user of this process", err)
		}
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	go j.keep()
	return j, nil
}

func (j *Journal) open() error {
	l, fresh, err := j.claim()
	if err != nil {
		return err
	}
	for _, name := range l.temps {
		j.fs.Remove(j.path(name)) //nolint:errcheck // it is in nobody's way
	}
	if err := j.measureQuarantine(); err != nil {
		return err
	}
	before, known, err := j.openState(fresh)
	if err != nil {
		return err
	}
	for _, f := range l.segments {
		first, _ := parseSegmentName(f.Name)
		j.segments = append(j.segments, &segment{first: first, size: f.Bytes, began: f.ModTime, used: f.ModTime.Add(fileTimeGrain)})
	}
	t := j.recoverTail(before.clean)
	if err := j.openCursors(l.cursors); err != nil {
		return err
	}
	j.settle(&before, known, t)
	if err := j.mistrust(t.next, before.suspect); err != nil {
		return err
	}
	if err := j.startState(fresh, known); err != nil {
		return err
	}
	return j.syncSegments()
}

// claim finds out whose directory it is, locks it, and gives a fresh one an
// identity. Nothing is touched in a directory that is not a journal's.
func (j *Journal) claim() (l listing, fresh bool, err error) {
	if err := j.fs.Mkdir(j.dir); err != nil {
		return l, false, err
	}
	if l, err = list(j.fs, j.dir); err != nil {
		return l, false, err
	}
	if _, _, _, err = identify(j.fs, j.dir, l); err != nil {
		return l, false, err
	}
	if err := j.lockDir(); err != nil {
		return l, false, err
	}
	// Again: another process may have been at it until now.
	if l, err = list(j.fs, j.dir); err != nil {
		return l, false, err
	}
	who, fresh, repaired, err := identify(j.fs, j.dir, l)
	if err != nil {
		return l, false, err
	}
	j.who = who
	if fresh {
		j.who = newIdentity()
		j.fs.SyncDir(filepath.Dir(j.dir)) //nolint:errcheck // the parent may not be ours to read
	}
	if repaired {
		j.damage.Repairs++
	}
	if !fresh && !repaired {
		return l, false, nil
	}
	return l, fresh, writeFile(j.fs, j.path(metaName), encodeMeta(j.who))
}

func newIdentity() identity {
	var b [16]byte
	rand.Read(b[:]) // never fails: it aborts the process instead
	return identity{id: binary.LittleEndian.Uint64(b[:]), mark: binary.LittleEndian.Uint64(b[8:])}
}

func (j *Journal) lockDir() error {
	f, err := j.fs.Open(j.path(lockName), unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return err
	}
	if err := f.Lock(); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0) // it only makes the message better
		f.Close()                  // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%w (process %s); stop it, or give this one a directory of its own", ErrLocked, bytes.TrimSpace(owner[:n]))
		}
		return fmt.Errorf("lock: %w", err)
	}
	j.lock = f
	// Padded, so that nothing is left of a longer number. A full disk is no reason
	// to fail here.
	f.WriteAt(fmt.Appendf(nil, "%-20s\n", strconv.Itoa(os.Getpid())), 0) //nolint:errcheck // it only makes a message better
	return nil
}

func (j *Journal) measureQuarantine() error {
	files, err := j.fs.List(j.path(quarantineName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, f := range files {
		j.quarantine += f.Bytes
	}
	return nil
}

// openState reads how the last process left the journal. known is false when
// that is lost.
func (j *Journal) openState(fresh bool) (s state, known bool, err error) {
	if fresh {
		return state{}, false, nil
	}
	slots, value, ok, err := openSlots(j.fs, j.path(stateName), unix.O_RDWR)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EIO) {
		return state{}, false, err
	}
	if err == nil && ok {
		if s = parseState(value); s.identity == j.who {
			j.stateSlots = slots
			return s, true, nil
		}
	}
	if slots != nil {
		slots.file.Close() // it is made anew
	}
	return state{}, false, nil
}

func (j *Journal) openCursors(files []FileInfo) error {
	for _, f := range files {
		c, err := openCursor(j.fs, j.path(f.Name), j.who.id)
		if err != nil {
			return fmt.Errorf("cursor: %w", err)
		}
		if c.broken {
			j.damage.Cursors++
		}
		j.cursors[c.name] = c
	}
	return nil
}

// settle decides what comes next. Numbers that the last process may have handed
// out are not used again, even when no trace of their records is left.
func (j *Journal) settle(before *state, known bool, t tail) {
	j.position, j.generation = t.position, t.generation
	clean := known && before.clean && before.next >= t.next
	switch {
	case clean:
		j.position, j.generation = before.position, before.generation
	case known:
		j.next = max(before.reserved+1, t.next, t.name+1)
	case t.name > 0 || len(j.cursors) > 0:
		j.next = max(t.next, t.name+1)
		for _, c := range j.cursors {
			j.next = max(j.next, min(c.at.next, maxSeq))
		}
		j.next += lostStateStep
	default:
		j.next = max(t.next, 1)
	}
	j.last = t.next - 1
	j.synced = t.synced
	if clean {
		j.last, j.synced = j.next-1, before.synced
	}
	for _, c := range j.cursors {
		j.settleCursor(c, t, clean)
	}
	for _, s := range j.segments {
		j.bytes += s.size
	}
}

func (j *Journal) settleCursor(c *cursor, t tail, clean bool) {
	if c.broken {
		return
	}
	if c.at.next > j.next {
		j.damage.Cursors++
	} else if clean || c.at.next < t.next {
		return
	}
	// Nothing that is left lies behind it, so nothing is missing there either.
	c.at = j.position
}

// startState reserves numbers, and makes the next start find an unclean stop
// unless Close is reached.
func (j *Journal) startState(fresh, known bool) (err error) {
	s := state{identity: j.who, reserved: j.next + reserveStep}
	if known {
		return j.writeState(&s)
	}
	if !fresh {
		j.damage.Repairs++
	}
	if j.stateSlots, err = createSlots(j.fs, j.path(stateName), s.encode()); err == nil {
		j.setState(&s)
	}
	return err
}

// Seal ends the journal: nothing more is appended, and a reader that has read
// everything gets io.EOF.
func (j *Journal) Seal() {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sealed = true
	j.wake()
}

// Close seals the journal, makes everything durable and gives the directory
// free. The readers must not be used any more.
func (j *Journal) Close() error {
	j.Seal()
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return nil
	}
	close(j.quit)
	<-j.done
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	err := j.syncSegments()
	if err == nil {
		err = j.writeCleanState()
	}
	err = errors.Join(err, j.flushCursors(true), j.removeConsumed(), j.syncDir())
	j.release()
	if err != nil {
		return fmt.Errorf("journal %s: close: %w", j.dir, err)
	}
	return nil
}

// writeCleanState lets the next start go on where this journal ends. Nothing is
// appended any more.
func (j *Journal) writeCleanState() error {
	j.stateMu.Lock()
	defer j.stateMu.Unlock()
	s := j.state
	s.clean, s.position, s.generation, s.synced = true, j.position, j.generation, j.synced
	return j.writeState(&s)
}

// release closes all files.
func (j *Journal) release() {
	for _, s := range append(j.segments, j.orphans...) {
		s.closeWritten()
	}
	for _, c := range j.cursors {
		c.release()
	}
	if j.stateSlots != nil {
		j.stateSlots.file.Close() // synced, or of no use
	}
	if j.lock != nil {
		j.lock.Close() // nothing depends on it
	}
}
