// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// checkFiles makes sure that each file of the journal has its name, and restores those
// that do not.
func (l *location) checkFiles() error {
	if err := l.checkLock(); err != nil {
		return err
	}
	saved, lost, err := l.checkSegments()
	if err != nil {
		return err
	}
	if err := l.checkSmallFiles(); err != nil {
		return err
	}
	if saved+lost == 0 {
		return nil
	}
	l.log.Error("segments of the journal were removed or replaced; those that were open are restored", "saved", saved, "lost", lost)
	// The header of a new segment contains how many records there were, in case the
	// process ends.
	l.writer.mu.Lock()
	defer l.writer.mu.Unlock()
	return l.writer.rotate()
}

// checkLock locks the directory again if the name of the lock leads to another file.
func (l *location) checkLock() error {
	path := l.path(layout.LockName)
	info, err := l.lock.Stat()
	if err != nil {
		return err
	}
	if ok, err := l.has(path, info.ID); ok || err != nil {
		return err
	}
	l.recreated(path)
	before := l.lock
	if err := l.lockDir(); err != nil {
		return err
	}
	before.Close() // it is not the lock any more
	return l.noteOwner()
}

// recreated counts and logs that a file has to be created again.
func (l *location) recreated(path string) {
	l.damage.Add(func(c *damage.Counts) { c.Repairs++ })
	l.log.Error("a file of the journal was removed or replaced while the daemon runs; it is recreated", "file", path)
}

// checkSmallFiles restores the missing small files.
func (l *location) checkSmallFiles() error {
	if err := l.checkMeta(); err != nil {
		return err
	}
	restored, err := l.state.Restore(l.has)
	if restored {
		l.recreated(l.state.Path())
	}
	if err != nil {
		return err
	}
	for _, c := range l.cursors.All() {
		if c.Lost(l.has) {
			l.recreated(c.Path)
		}
	}
	// A cursor that cannot be written is a fault of its reader. It must not stop Append.
	if l.cursors.Flush(false) != nil {
		l.work.set() // the syncer tries again, and reports the error
	}
	return nil
}

func (l *location) checkMeta() error {
	path := l.path(layout.MetaName)
	_, err := l.fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		l.recreated(path)
		return vfs.WriteFile(l.fs, path, layout.EncodeMeta(l.who))
	}
	return err
}

// checkSegments restores the segments that have lost their names, if they are open, and
// forgets the others.
func (l *location) checkSegments() (saved, lost int, err error) {
	l.index.mu.Lock()
	segments := append([]*logSegment(nil), l.index.segments...)
	l.index.mu.Unlock()
	for _, s := range segments {
		here, err := l.hasSegment(s)
		if err != nil {
			return saved, lost, err
		}
		if here {
			continue
		}
		l.writer.stop()
		switch err := l.restore(s); {
		case err == nil:
			saved++
			l.log.Error("a segment of the journal was removed or replaced; it is restored", "file", l.segmentPath(s), "bytes", s.size)
		case errors.Is(err, errNotOpen):
			lost++
			l.retention.missing(s)
		default:
			return saved, lost, fmt.Errorf("save %s: %w", l.segmentPath(s), err)
		}
	}
	return saved, lost, nil
}

// hasSegment reports whether a segment has its name, or is not in the index any more.
func (l *location) hasSegment(s *logSegment) (bool, error) {
	l.writer.mu.Lock() // against removal
	defer l.writer.mu.Unlock()
	l.index.mu.Lock()
	gone, id := s.gone, s.id
	l.index.mu.Unlock()
	if gone {
		return true, nil
	}
	return l.has(l.segmentPath(s), id)
}

// restore creates the file of a segment again. The error is errNotOpen if the segment
// cannot be read. restore replaces another file of that name, because the journal knows
// what it has written.
func (l *location) restore(s *logSegment) error {
	from, err := l.sourceOf(s)
	if err != nil {
		return err
	}
	defer from.Close() // nothing was written
	id, err := l.copyTo(l.segmentPath(s), from, s.size)
	if err != nil {
		return err
	}
	l.damage.Add(func(c *damage.Counts) { c.Missing++ })
	l.index.mu.Lock()
	defer l.index.mu.Unlock()
	s.closeWritten()
	s.id, s.synced, s.failed = id, s.size, nil
	s.loose = true // so that flush notes that it is durable
	l.work.set()
	return nil
}

// copyTo creates or replaces the file at path atomically and durably.
func (l *location) copyTo(path string, from vfs.File, size int64) (id vfs.FileID, err error) {
	to, err := l.fs.Open(path+vfs.TempSuffix, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return id, err
	}
	err = copyBytes(to, from, size)
	var info vfs.FileInfo
	if err == nil {
		info, err = to.Stat()
	}
	if err = errors.Join(err, to.Sync(), to.Close()); err == nil {
		err = l.fs.Rename(path+vfs.TempSuffix, path)
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	return info.ID, err
}

func copyBytes(to, from vfs.File, size int64) error {
	buf := make([]byte, segment.ChunkBytes)
	for at := int64(0); at < size; {
		n, err := from.ReadAt(buf[:min(size-at, segment.ChunkBytes)], at)
		if n == 0 && err == nil {
			err = io.ErrUnexpectedEOF
		}
		if n == 0 {
			return err
		}
		if _, err := to.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// sourceOf returns a descriptor of a segment that has lost its name: of the file that it
// is written through, of the file that a reader has open, or of its name in the directory
// that was moved away.
func (l *location) sourceOf(s *logSegment) (vfs.File, error) {
	l.index.mu.Lock()
	id, file := s.id, s.file
	if file != nil {
		defer l.index.mu.Unlock()
		return file.Dup()
	}
	l.index.mu.Unlock()
	if dup, err := l.readers.dupOf(s); dup != nil || err != nil {
		return dup, err
	}
	dup, err := l.openMoved(s)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNotOpen
	}
	if err != nil {
		return nil, err
	}
	if info, err := dup.Stat(); err != nil || info.ID != id {
		dup.Close() // nothing was written
		return nil, errNotOpen
	}
	return dup, nil
}

// openMoved opens a segment in the directory that was moved away.
func (l *location) openMoved(s *logSegment) (vfs.File, error) {
	l.mu.Lock()
	home := l.home
	l.mu.Unlock()
	if home == nil {
		return nil, os.ErrNotExist
	}
	return l.fs.Open(home.Path()+"/"+segment.Name(s.first), unix.O_RDONLY)
}

// openSegment opens a segment for reading, even if the segment has lost its name. While the
// directory is away the error is not os.ErrNotExist, because the directory may return.
func (l *location) openSegment(s *logSegment) (vfs.File, error) {
	file, err := l.fs.Open(l.segmentPath(s), unix.O_RDONLY)
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return file, err
	}
	if open, serr := l.sourceOf(s); serr == nil {
		return open, nil
	}
	if info, serr := l.fs.Stat(l.dir); serr != nil || info.ID != l.homeID() {
		return nil, errAway
	}
	return nil, err
}
