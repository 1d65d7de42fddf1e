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
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// lookInterval is the interval between two checks that the files of the journal still have
// their names: records in a file without a name are lost when the process ends.
const lookInterval = time.Second

// errAway means that the directory is not where it was.
var errAway = errors.New("the directory of the journal was removed or replaced")

// A location makes sure that the directory and the files of the journal have their names.
// Callers hold the lock of the syncer, except those of look, which locks it.
type location struct {
	*env
	cond      *condition
	syncer    *syncer
	writer    *writer
	state     *state.File
	retention *retention
	cursors   *cursor.Set
	readers   *readerSet
	damage    *damage.Log
	index     *index

	lock vfs.File  // the file that is locked
	seen time.Time // modification time of the directory at the last complete check
	at   time.Time // time of that check

	mu   sync.Mutex // guards what follows; no other lock is taken while it is held
	home vfs.File   // the open directory, which is reachable without its name
	id   vfs.FileID // of the directory
}

// claim locks the directory, and finds out whose it is. It does not change a directory
// that does not belong to a journal.
func (l *location) claim() (e *layout.Evidence, fresh bool, err error) {
	if err := l.fs.Mkdir(l.dir); err != nil {
		return nil, false, err
	}
	if e, err = layout.Examine(l.fs, l.dir, nil); err != nil {
		return nil, false, err
	}
	if _, _, err = e.Decide(); err != nil {
		return nil, false, err
	}
	if err := l.lockDir(); err != nil {
		return nil, false, err
	}
	if err := l.enter(); err != nil {
		return nil, false, err
	}
	// Examine again: another process may have changed the files before the lock.
	if e, err = layout.Examine(l.fs, l.dir, e); err != nil {
		return nil, false, err
	}
	if l.who, fresh, err = e.Decide(); err != nil {
		return nil, false, err
	}
	if fresh {
		l.who = newIdentity()
		_ = l.fs.SyncDir(filepath.Dir(l.dir)) // the parent may not be readable
	}
	return e, fresh, nil
}

func newIdentity() segment.Identity {
	var b [16]byte
	rand.Read(b[:]) // never fails: it aborts the process instead
	return segment.Identity{ID: binary.LittleEndian.Uint64(b[:]), Mark: binary.LittleEndian.Uint64(b[8:])}
}

func (l *location) lockDir() error {
	f, err := l.fs.Open(l.path(layout.LockName), unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return err
	}
	if err := f.Lock(); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0) // only for the message
		f.Close()                  // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%w (process %s); stop it, or give this one a directory of its own", ErrLocked, bytes.TrimSpace(owner[:n]))
		}
		return fmt.Errorf("lock: %w", err)
	}
	l.lock = f
	return nil
}

// noteOwner writes the process id into the lock. It is padded, so that nothing remains of
// a longer number.
func (l *location) noteOwner() error {
	_, err := l.lock.WriteAt(fmt.Appendf(nil, "%-20s\n", strconv.Itoa(os.Getpid())), 0)
	return err
}

// enter opens the directory, and remembers which one it is.
func (l *location) enter() error {
	dir, err := l.fs.Open(l.dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	info, err := dir.Stat()
	if err != nil {
		dir.Close() // nothing was written
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.home != nil {
		l.home.Close() // likewise
	}
	l.home, l.id = dir, info.ID
	l.seen, l.at = time.Time{}, time.Time{}
	return nil
}

// close closes the files.
func (l *location) close() {
	for _, f := range []vfs.File{l.lock, l.home} {
		if f != nil {
			f.Close() // nothing was written that matters
		}
	}
}

// look checks that the directory and the files have their names, and restores them. Until
// that succeeds nothing is appended. Open files can still be read, and are saved.
func (l *location) look() {
	l.syncer.mu.Lock()
	defer l.syncer.mu.Unlock()
	if begun, closed := l.cond.lifetime(); !begun || closed {
		return
	}
	before, _, _ := l.cond.faults()
	err := l.check(before != nil)
	l.cond.setAway(err)
	switch {
	case err == nil && before != nil:
		l.log.Info("the journal is where it should be again", "directory", l.dir)
	case err != nil && (before == nil || before.Error() != err.Error()):
		l.log.Error("the journal accepts no events until its files are where they should be", "error", err)
	}
}

// check checks the directory, and then the files if names in it may have changed.
func (l *location) check(away bool) error {
	here, info, err := l.isHere()
	if err != nil {
		return fmt.Errorf("look for the journal: %w", err)
	}
	if !here {
		return l.moveIn()
	}
	if !away && info.ModTime.Equal(l.seen) && l.at.Sub(l.seen) > fileTimeGrain {
		return nil // no name was added or removed since
	}
	now := l.now()
	if err := l.checkFiles(); err != nil {
		return err
	}
	if info, err = l.fs.Stat(l.dir); err == nil {
		l.seen, l.at = info.ModTime, now
	}
	return nil
}

// isHere reports whether the directory still has its name.
func (l *location) isHere() (here bool, info vfs.FileInfo, err error) {
	info, err = l.fs.Stat(l.dir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, info, nil
	}
	return err == nil && info.ID == l.homeID(), info, err
}

func (l *location) homeID() vfs.FileID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// has reports whether a path leads to the file with this id.
func (l *location) has(path string, id vfs.FileID) (bool, error) {
	info, err := l.fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.ID == id, err
}

// moveIn creates the directory of the journal again, or uses an empty directory that has
// its name now, and restores the files in it. The open directory leads to the old files,
// if they still exist.
func (l *location) moveIn() error {
	if l.writer.stop() {
		l.log.Error("the directory of the journal was removed or replaced while the daemon runs", "directory", l.dir)
	}
	if err := l.fs.Mkdir(l.dir); err != nil {
		return fmt.Errorf("%w, and cannot be recreated: %w; "+
			"create it, so that the user of this process can write to it, or start the daemon again", errAway, err)
	}
	e, err := layout.Examine(l.fs, l.dir, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	who, fresh, err := e.Decide()
	if err == nil && !fresh && who != l.who {
		err = fmt.Errorf("%s is another journal: start the daemon again to use it, or put it elsewhere", l.dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	if err := l.checkFiles(); err != nil {
		return err
	}
	l.damage.Add(func(c *damage.Counts) { c.Repairs++ })
	l.index.setDirDirty()
	l.log.Info("the directory of the journal is recreated", "directory", l.dir)
	return l.enter()
}
