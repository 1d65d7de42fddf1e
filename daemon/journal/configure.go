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

// Configure changes the options while the journal is in use, all but Now, FS and Log.
// When it returns, what new limits do not allow any more is removed, but for what a
// pinned reader keeps from that. The policy holds for what was appended before, too:
// with FsyncInterval that is durable within the interval, with FsyncAlways before the
// next Append returns. Configure waits for an fsync that is under way.
func (j *Journal) Configure(o Options) {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if !j.adopt(o) {
		return
	}
	j.removeOld()
	j.removeExcess()
	j.work()
	select {
	case j.changed <- struct{}{}:
	default: // the keeper has not noticed the last change yet
	}
}

// adopt makes o the options, unless the journal is closed. All locks under which
// options are read are held then. The caller holds syncMu.
func (j *Journal) adopt(o Options) bool {
	j.appendMu.Lock()
	defer j.appendMu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	o.Now, o.Steady, o.FS, o.Log = j.opts.Now, j.opts.Steady, j.opts.FS, j.opts.Log
	o.setDefaults()
	if o.Fsync == FsyncAlways && j.opts.Fsync != FsyncAlways {
		j.owed = true
	}
	j.opts = o
	return true
}

// options returns the options for who holds none of the locks.
func (j *Journal) options() Options {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opts
}

// payOwed makes durable, once the policy is FsyncAlways, what an earlier one has
// left to the keeper. The caller holds appendMu, which others may have meanwhile.
func (j *Journal) payOwed() error {
	for j.owes() {
		j.appendMu.Unlock()
		err := j.flushOwed()
		j.appendMu.Lock()
		if err != nil {
			return fmt.Errorf("journal %s: %w", j.dir, err)
		}
	}
	return nil
}

func (j *Journal) owes() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.owed && j.opts.Fsync == FsyncAlways
}

func (j *Journal) flushOwed() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	return j.flush(true)
}

// errNotOpen is returned for a segment that cannot be opened to make it durable.
var errNotOpen = errors.New("cannot be opened")

// openLoose opens a segment for writing that was closed before it was durable. The
// file is nil, without an error, when there is none any more. One that cannot be opened
// is left to whoever wrote it, and tried again next time: it must not keep the journal
// from taking more.
func (j *Journal) openLoose(s *logSegment) (vfs.File, error) {
	file, err := j.fs.Open(j.segmentPath(s), unix.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		j.notRead(s, err)
		return nil, errNotOpen
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.gone {
		file.Close() // nothing was written
		return nil, nil
	}
	s.file, s.loose = file, false
	delete(j.unread, segment.Name(s.first))
	return file, nil
}

// rest waits until SyncInterval has passed, which may change meanwhile, and reports
// false when the journal is closed. It looks after the files while it waits.
func (j *Journal) rest(pause *time.Timer, look <-chan time.Time) bool {
	began := time.Now()
	for {
		pause.Reset(j.options().SyncInterval - time.Since(began))
		select {
		case <-j.quit:
			return false
		case <-look:
			j.look()
		case <-j.changed:
		case <-pause.C:
			return true
		}
	}
}
