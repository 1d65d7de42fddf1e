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
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Open opens the journal in a directory, and makes it when there is none. No
// damage makes it fail, nor does a disk that is full: what is broken is left out, and
// counted, and repaired when the journal is used. What cannot be read now may be
// readable later: no cursor moves past it. Open changes nothing but to take the lock,
// and Close of a journal that was not used changes nothing either.
func Open(dir string, opts Options) (*Journal, error) {
	opts.setDefaults()
	j := &Journal{
		dir: dir, opts: opts, fs: opts.FS, log: opts.Log,
		cursors: map[string]*cursor{}, seen: map[place]struct{}{}, unread: map[string]error{},
		kick: make(chan struct{}, 1), changed: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		j.release()
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
			err = fmt.Errorf("%w; the directory and the files in it must be readable and writable for the user of this process", err)
		}
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	go j.keep()
	return j, nil
}

func (j *Journal) open() error {
	e, fresh, err := j.claim()
	if err != nil {
		return err
	}
	j.measureQuarantine()
	j.takeSegments(e)
	before, known := e.stateOf(j.who)
	t := j.recoverTail(before.clean)
	j.takeCursors(e)
	j.settle(&before, known, t)
	j.missEnds(&before)
	j.mistrust(t.next, before.suspect || e.stateErr != nil)
	j.planRepairs(e, fresh, known)
	return nil
}

// claim finds out whose directory it is, and locks it. Nothing is touched in a
// directory that is not a journal's.
func (j *Journal) claim() (e *evidence, fresh bool, err error) {
	if err := j.fs.Mkdir(j.dir); err != nil {
		return nil, false, err
	}
	if e, err = examine(j.fs, j.dir, nil); err != nil {
		return nil, false, err
	}
	if _, _, err = e.decide(); err != nil {
		return nil, false, err
	}
	if err := j.lockDir(); err != nil {
		return nil, false, err
	}
	if err := j.enterHome(); err != nil {
		return nil, false, err
	}
	// Again: another process may have been at it until now.
	if e, err = examine(j.fs, j.dir, e); err != nil {
		return nil, false, err
	}
	if j.who, fresh, err = e.decide(); err != nil {
		return nil, false, err
	}
	if fresh {
		j.who = newIdentity()
		_ = j.fs.SyncDir(filepath.Dir(j.dir)) // the parent may not be ours to read
	}
	return e, fresh, nil
}

func newIdentity() segment.Identity {
	var b [16]byte
	rand.Read(b[:]) // never fails: it aborts the process instead
	return segment.Identity{ID: binary.LittleEndian.Uint64(b[:]), Mark: binary.LittleEndian.Uint64(b[8:])}
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
	return nil
}

// measureQuarantine finds out how much is in quarantine. As long as that is not known,
// nothing is added.
func (j *Journal) measureQuarantine() {
	files, err := j.fs.List(j.path(quarantineName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.log.Error("no copies of damaged pieces can be kept", "error", err)
		j.quarantine = maxQuarantineBytes
	}
	for _, f := range files {
		j.quarantine += f.Bytes
	}
}

// takeSegments lists the segments, but for the files that are none of this journal.
func (j *Journal) takeSegments(e *evidence) {
	for i, f := range e.segments {
		h := &e.headers[i]
		first, _ := segment.ParseName(f.Name)
		sure := h.ok && h.Identity == j.who && h.First == first
		if h.ok && !sure {
			j.damage.Strays++
			j.log.Error("a file is no part of this journal and is left alone; it was copied or renamed, or is of another journal",
				"file", j.path(f.Name), "its_journal", formatID(h.ID), "its_first_number", h.First)
			continue
		}
		if h.err != nil {
			j.unread[f.Name] = h.err
			j.log.Error("a segment of the journal cannot be read; delivery waits for it", "file", j.path(f.Name), "error", h.err)
		}
		if f.Bytes > segment.MaxLen {
			j.log.Error("a segment of the journal is too large; what is beyond the limit is not read", "file", j.path(f.Name), "bytes", f.Bytes, "limit", int64(segment.MaxLen))
		}
		j.segments = append(j.segments, &logSegment{
			first: first, size: min(f.Bytes, segment.MaxLen), began: f.ModTime, used: f.ModTime.Add(fileTimeGrain),
			sure: sure, index: h.Index, id: f.ID,
		})
	}
}

func (j *Journal) takeCursors(e *evidence) {
	for i, f := range e.cursors {
		c := &cursor{name: strings.TrimPrefix(f.Name, cursorPrefix), id: j.who.ID, fs: j.fs, path: j.path(f.Name)}
		c.take(&e.places[i])
		switch {
		case c.unread != nil:
			j.log.Error("a cursor cannot be read; its reader waits for it", "file", c.path, "error", c.unread)
		case c.broken:
			j.damage.Cursors++
			j.log.Error("a cursor is damaged; its reader begins again with the oldest record", "file", c.path)
		}
		j.cursors[c.name] = c
	}
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
// free. The readers must not be used any more. A journal that was not used is left as
// it was found.
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
	if !j.isUsed() {
		j.release()
		return nil
	}
	err := j.begin()
	if err == nil {
		err = j.syncSegments()
	}
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
	j.stateSync.Lock()
	defer j.stateSync.Unlock()
	return j.changeState(func(s *state) {
		s.clean, s.position, s.generation, s.synced = true, j.position, j.generation, j.synced
		s.oldest, s.newest = j.ends()
	})
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
		j.stateSlots.Close() // synced, or of no use
	}
	for _, f := range []vfs.File{j.lock, j.home.dir} {
		if f != nil {
			f.Close() // nothing depends on it
		}
	}
}
