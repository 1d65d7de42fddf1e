// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// checkFiles makes sure that each file of the journal has its name, or gets it again.
func (j *Journal) checkFiles() error {
	if err := j.checkLock(); err != nil {
		return err
	}
	saved, lost, err := j.checkSegments()
	if err != nil {
		return err
	}
	if err := j.checkSmallFiles(); err != nil {
		return err
	}
	if saved+lost == 0 {
		return nil
	}
	j.log.Error("segments of the journal were removed or replaced by something else; those that were open are saved", "saved", saved, "lost", lost)
	// A new segment tells how many records there were, should the process end.
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	return j.rotate()
}

// checkLock takes the lock again when its file is another one.
func (j *Journal) checkLock() error {
	path := j.path(lockName)
	info, err := j.lock.Stat()
	if err != nil {
		return err
	}
	if ok, err := j.has(path, info.ID); ok || err != nil {
		return err
	}
	j.repaired(path)
	before := j.lock
	if err := j.lockDir(); err != nil {
		return err
	}
	before.Close() // it is not the lock any more
	return j.noteOwner()
}

func (j *Journal) repaired(path string) {
	j.mu.Lock()
	j.damage.Repairs++
	j.mu.Unlock()
	j.log.Error("a file of the journal was removed or replaced while the daemon runs; it is recreated", "file", path)
}

// checkSmallFiles writes those again that are missing.
func (j *Journal) checkSmallFiles() error {
	if _, err := j.fs.Stat(j.path(metaName)); errors.Is(err, os.ErrNotExist) {
		j.repaired(j.path(metaName))
		if err := vfs.WriteFile(j.fs, j.path(metaName), encodeMeta(j.who)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := j.checkState(); err != nil {
		return err
	}
	for _, c := range j.allCursors() {
		if c.checkFile(j) {
			j.repaired(c.path)
		}
	}
	return j.flushCursors(false)
}

func (j *Journal) checkState() error {
	j.stateSync.Lock()
	defer j.stateSync.Unlock()
	j.stateMu.Lock()
	s, file := j.state, j.stateSlots
	j.stateMu.Unlock()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if ok, err := j.has(j.path(stateName), info.ID); ok || err != nil {
		return err
	}
	j.repaired(j.path(stateName))
	if err := j.createState(&s); err != nil {
		return err
	}
	file.Close() // it is not the state any more
	return nil
}

// checkFile has the cursor written anew when its file is another one, which it reports.
func (c *cursor) checkFile(j *Journal) bool {
	c.syncing.Lock()
	defer c.syncing.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.slots == nil {
		if _, err := j.fs.Stat(c.path); !errors.Is(err, os.ErrNotExist) || !c.usable() || c.ended {
			return false
		}
	} else {
		info, err := c.slots.Stat()
		if err != nil {
			return false
		}
		if ok, err := j.has(c.path, info.ID); ok || err != nil {
			return false
		}
		c.slots.Close() // it is not the cursor any more
		c.slots = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unborn = true
	return true
}

// checkSegments restores the segments that have lost their name from what is open of
// them, and takes the others off the list.
func (j *Journal) checkSegments() (saved, lost int, err error) {
	j.mu.Lock()
	segments := append([]*logSegment(nil), j.segments...)
	j.mu.Unlock()
	for _, s := range segments {
		here, err := j.hasSegment(s)
		if err != nil {
			return saved, lost, err
		}
		if here {
			continue
		}
		j.stopAppending()
		switch err := j.restore(s); {
		case err == nil:
			saved++
			j.log.Error("a segment of the journal was removed or replaced; it is saved from memory", "file", j.segmentPath(s), "bytes", s.size)
		case errors.Is(err, errNotOpen):
			lost++
			j.missingSegment(s)
		default:
			return saved, lost, fmt.Errorf("save %s: %w", j.segmentPath(s), err)
		}
	}
	return saved, lost, nil
}

// hasSegment reports whether a segment has its name, or is not in the journal any more.
func (j *Journal) hasSegment(s *logSegment) (bool, error) {
	j.appendMu.Lock() // against removal
	defer j.appendMu.Unlock()
	j.mu.Lock()
	gone, id := s.gone, s.id
	j.mu.Unlock()
	if gone {
		return true, nil
	}
	return j.has(j.segmentPath(s), id)
}

// restore writes a segment anew. The error is errNotOpen when nothing of it can be read.
// Another file of its name is replaced: the journal knows what it has written.
func (j *Journal) restore(s *logSegment) error {
	from, err := j.sourceOf(s)
	if err != nil {
		return err
	}
	defer from.Close() // only read
	path := j.segmentPath(s)
	to, err := j.fs.Open(path+vfs.TempSuffix, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	err = copyBytes(to, from, s.size)
	var info vfs.FileInfo
	if err == nil {
		info, err = to.Stat()
	}
	if err = errors.Join(err, to.Sync(), to.Close()); err == nil {
		err = j.fs.Rename(path+vfs.TempSuffix, path)
	}
	if err == nil {
		err = j.fs.SyncDir(j.dir)
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.damage.Missing++
	s.closeWritten()
	s.id, s.synced, s.failed = info.ID, s.size, nil
	s.loose = true // for flush to note that it is durable
	j.work()
	return nil
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

// sourceOf returns a descriptor of a segment that has lost its name: what it is written
// through, what a reader has open, or its name in the directory that was moved away.
func (j *Journal) sourceOf(s *logSegment) (vfs.File, error) {
	j.mu.Lock()
	file := s.file
	for _, r := range j.readers {
		if file == nil && r.segment == s {
			file = r.file
		}
	}
	var dup vfs.File
	var err error
	if file != nil {
		dup, err = file.Dup()
	}
	id, dir := s.id, j.home.dir
	j.mu.Unlock()
	if file != nil || err != nil {
		return dup, err
	}
	if dir == nil {
		return nil, errNotOpen
	}
	dup, err = j.fs.Open(dir.Path()+"/"+segment.Name(s.first), unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNotOpen
	}
	if err != nil {
		return nil, err
	}
	if info, err := dup.Stat(); err != nil || info.ID != id {
		dup.Close() // only read
		return nil, errNotOpen
	}
	return dup, nil
}
