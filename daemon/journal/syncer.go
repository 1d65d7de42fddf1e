// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/state"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A syncer makes segments and cursors durable.
type syncer struct {
	*env
	cond      *condition
	writer    *writer
	repairs   *repairs
	state     *state.File
	retention *retention
	cursors   *cursor.Set
	damage    *damage.Log
	index     *index

	mu            sync.Mutex // held while making durable, and while removing in the background
	cursorsSynced time.Time
}

// Sync makes everything durable that was appended and committed, under any policy.
func (j *Journal) Sync() error {
	y := j.syncer
	y.mu.Lock()
	defer y.mu.Unlock()
	return errors.Join(y.repairs.run(), y.flush(true), y.cursors.Flush(true))
}

// flushAll makes all segments durable.
func (y *syncer) flushAll() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.flush(true)
}

func (y *syncer) syncSegments() error { return y.flush(y.fsync() != FsyncNever) }

// A part is the range of a segment that is not yet synced.
type part struct {
	s      *logSegment
	file   vfs.File // nil: the segment has to be opened
	size   int64
	synced int64
	end    uint64
	active bool
}

// flush makes the segments durable in their order if durable is true, and closes those
// that are complete. The caller holds mu.
func (y *syncer) flush(durable bool) error {
	for _, s := range y.index.takeOrphans() {
		// The disk may take long to free the space, so Append must not do this.
		s.closeWritten()
	}
	covered := true
	for _, p := range y.unsynced(durable) {
		err := y.flushPart(p, durable, covered)
		if errors.Is(err, errNotOpen) {
			covered = false // it may not be durable; the segments after it are synced all the same
			continue
		}
		if err != nil {
			err = fmt.Errorf("make %s durable: %w", y.segmentPath(p.s), err)
			y.cond.flushed(err, false)
			return err
		}
	}
	if durable {
		if err := y.syncDir(); err != nil {
			y.cond.flushed(err, false)
			return err
		}
	}
	y.cond.flushed(nil, durable)
	return nil
}

// unsynced lists the segments that are open for writing. If durable is true it also lists
// those that were closed before they were durable.
func (y *syncer) unsynced(durable bool) (parts []part) {
	y.writer.mu.Lock() // for active
	defer y.writer.mu.Unlock()
	y.index.mu.Lock()
	defer y.index.mu.Unlock()
	for _, s := range y.index.segments {
		if s.file != nil || s.loose && durable {
			parts = append(parts, part{s, s.file, s.size, s.synced, s.end, s == y.writer.active})
		}
	}
	return parts
}

// flushPart makes one segment durable if durable is true. covered means that all segments
// before it are durable.
func (y *syncer) flushPart(p part, durable, covered bool) error {
	if durable && (p.synced < p.size || p.s.failed != nil) {
		if err := y.syncDir(); err != nil {
			return err
		}
		if p.file == nil {
			var err error
			if p.file, err = y.openLoose(p.s); p.file == nil {
				return err
			}
		}
		if err := y.syncPart(&p); err != nil {
			return err
		}
		if p.s.failed != nil {
			return y.rescue(p.s)
		}
	}
	y.index.mu.Lock()
	defer y.index.mu.Unlock()
	if durable {
		p.s.synced = max(p.s.synced, p.size)
		if p.end > p.s.first && covered {
			y.index.synced = max(y.index.synced, p.end-1)
		}
	}
	if !p.active {
		p.s.loose = p.s.synced < p.s.size
		p.s.closeWritten()
	}
	return nil
}

// syncPart syncs an open segment, unless an fsync of it has failed before. It stores the
// error of the fsync in the segment.
func (y *syncer) syncPart(p *part) error {
	if p.s.failed != nil {
		return nil
	}
	if p.s.again {
		if err := y.writeAgain(p.s); err != nil {
			return err
		}
		p.s.again = false
	}
	if p.s.failed = p.file.Sync(); p.s.failed != nil {
		y.state.NoteSyncFailure()
	}
	return nil
}

// syncDir makes the names in the directory durable.
func (y *syncer) syncDir() error {
	if !y.index.takeDirDirty() {
		return nil
	}
	err := y.fs.SyncDir(y.dir)
	if err != nil {
		y.index.setDirDirty()
	}
	return err
}

// errNotOpen means that a segment cannot be opened.
var errNotOpen = errors.New("cannot be opened")

// openLoose opens a segment for writing that was closed before it was durable. It returns
// no file and no error if the segment was removed. A segment that cannot be opened is
// skipped until the next flush, so that the journal can continue.
func (y *syncer) openLoose(s *logSegment) (vfs.File, error) {
	file, err := y.fs.Open(y.segmentPath(s), unix.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		y.damage.Unreadable(s.first, err)
		return nil, errNotOpen
	}
	y.index.mu.Lock()
	gone := s.gone
	if !gone {
		s.file, s.loose = file, false
	}
	y.index.mu.Unlock()
	if gone {
		file.Close() // nothing was written
		return nil, nil
	}
	_ = y.damage.Forget(s.first) // the error was logged
	return file, nil
}
