// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// lookInterval is the time between two checks that the journal's files are still where
// they were: what is appended to a file without a name is gone with the process.
const lookInterval = time.Second

// A home is the directory that the journal has its files in.
type home struct {
	dir  vfs.File // open: leads to it when its name does not any more
	id   vfs.FileID
	seen time.Time // its modification time when all files were there
	at   time.Time // when that was
}

// errAway says that the directory is no longer where it was.
var errAway = errors.New("the directory of the journal was removed or replaced")

// enterHome notes which directory it is.
func (j *Journal) enterHome() error {
	dir, err := j.fs.Open(j.dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	info, err := dir.Stat()
	if err != nil {
		dir.Close() // only read
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.home.dir != nil {
		j.home.dir.Close() // likewise
	}
	j.home = home{dir: dir, id: info.ID}
	return nil
}

// look checks that directory and files are there, and sees to it that they are again.
// Until they are, nothing is appended. What is open can still be read, and is saved.
func (j *Journal) look() {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	j.mu.Lock()
	begun, before := j.begun && !j.closed, j.away
	j.mu.Unlock()
	if !begun {
		return
	}
	err := j.lookAround(before != nil)
	j.mu.Lock()
	j.away = err
	j.mu.Unlock()
	switch {
	case err == nil && before != nil:
		j.log.Info("the journal is where it should be again", "directory", j.dir)
	case err != nil && (before == nil || before.Error() != err.Error()):
		j.log.Error("the journal takes no events until it is where it should be", "error", err)
	}
}

func (j *Journal) lookAround(away bool) error {
	here, info, err := j.isHere()
	if err != nil {
		return fmt.Errorf("look for the journal: %w", err)
	}
	if !here {
		return j.moveIn()
	}
	if !away && info.ModTime.Equal(j.home.seen) && j.home.at.Sub(j.home.seen) > fileTimeGrain {
		return nil // no name was made or removed since
	}
	now := j.opts.Now()
	if err := j.checkFiles(); err != nil {
		return err
	}
	if info, err = j.fs.Stat(j.dir); err == nil {
		j.home.seen, j.home.at = info.ModTime, now
	}
	return nil
}

// isHere reports whether the directory has its name still.
func (j *Journal) isHere() (here bool, info vfs.FileInfo, err error) {
	info, err = j.fs.Stat(j.dir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, info, nil
	}
	return err == nil && info.ID == j.home.id, info, err
}

// has reports whether a name leads to that file.
func (j *Journal) has(path string, id vfs.FileID) (bool, error) {
	info, err := j.fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.ID == id, err
}

// moveIn makes the journal's directory anew, or takes an empty one that has its name
// now, and moves into it. The open directory leads to the old one, if that still is.
func (j *Journal) moveIn() error {
	if j.stopAppending() {
		j.log.Error("the directory of the journal was removed or replaced while the daemon runs", "directory", j.dir)
	}
	if err := j.fs.Mkdir(j.dir); err != nil {
		return fmt.Errorf("%w, and cannot be recreated: %w; create it, so that the user of this process can write to it, or start the daemon again", errAway, err)
	}
	e, err := examine(j.fs, j.dir, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	who, fresh, err := e.decide()
	if err == nil && !fresh && who != j.who {
		err = fmt.Errorf("%s is another journal: start the daemon again to use it, or put it elsewhere", j.dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	if err := j.checkFiles(); err != nil {
		return err
	}
	j.mu.Lock()
	j.damage.Repairs++
	j.dirDirty = true
	j.mu.Unlock()
	j.log.Info("the directory of the journal is recreated", "directory", j.dir)
	return j.enterHome()
}

// stopAppending has Append fail from now on, until look has succeeded. It reports
// whether it did not before.
func (j *Journal) stopAppending() (first bool) {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.active = nil
	j.mu.Lock()
	defer j.mu.Unlock()
	if first = j.away == nil; first {
		j.away = errAway
	}
	return first
}
