// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// keep does in the background what Append and Commit need not wait for: group
// commit, cursors, the reserve of numbers, and removal. It sleeps while there is
// nothing to do.
func (j *Journal) keep() {
	defer close(j.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		select {
		case <-j.quit:
			return
		case <-look.C:
			j.look()
			if j.options().MaxAge == 0 {
				continue
			}
		case <-j.kick:
			if !j.rest(pause, look.C) {
				return
			}
		}
		if err := j.tend(); err != nil {
			j.work() // again, after a pause
		}
	}
}

// tend makes durable what is not, and removes what nobody needs.
func (j *Journal) tend() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if !j.isUsed() {
		return nil
	}
	err := j.begin()
	// The reserve first: a segment may take the disk longer than numbers are left for.
	if err == nil {
		err = j.extendReserve()
	}
	err = errors.Join(err, j.syncSegments(), j.tendCursors())
	j.removeOld()
	j.removeExcess()
	err = errors.Join(err, j.removeConsumed())
	if err == nil && j.opts.Fsync != FsyncNever {
		j.mu.Lock()
		oldest, newest := j.ends()
		if n := len(j.segments); n > 0 && j.segments[n-1].synced <= segment.HeaderLen {
			newest = 0 // it may not be durable
		}
		j.mu.Unlock()
		j.noteEnds(oldest, newest)
	}
	return err
}

// tendCursors makes the cursors durable, seldom: with many readers it takes longer
// than the segments, which must not wait for it.
func (j *Journal) tendCursors() error {
	now := j.opts.Now()
	due := j.opts.Fsync != FsyncNever && now.Sub(j.cursorsSynced) >= j.opts.CommitInterval
	if due {
		j.cursorsSynced = now
	}
	err := j.flushCursors(due)
	for _, c := range j.allCursors() {
		if c.pending(j.opts.Fsync != FsyncNever) {
			j.work() // again, after a pause
		}
	}
	return err
}

// Sync makes all that was appended and committed durable, whatever the policy.
func (j *Journal) Sync() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	return errors.Join(j.begin(), j.flush(true), j.flushCursors(true))
}

// extendReserve keeps Append from having to.
func (j *Journal) extendReserve() error {
	j.mu.Lock()
	next, sealed := j.next, j.sealed
	j.mu.Unlock()
	if sealed {
		return nil
	}
	return j.reserve(next)
}

func (j *Journal) syncSegments() error { return j.flush(j.opts.Fsync != FsyncNever) }

// A part is what of a segment is to be made durable.
type part struct {
	s      *logSegment
	file   vfs.File // nil: it is to be opened
	size   int64
	synced int64
	end    uint64
	active bool
}

// flush makes the segments durable in order, and closes those that are complete.
func (j *Journal) flush(durable bool) error {
	j.closeOrphans()
	covered := true
	for _, p := range j.unsynced(durable) {
		err := j.flushPart(p, durable, covered)
		if errors.Is(err, errNotOpen) {
			covered = false // nothing says that it is durable; what follows is made so all the same
			continue
		}
		if err != nil {
			err = fmt.Errorf("make %s durable: %w", j.segmentPath(p.s), err)
			j.setFault(err)
			return err
		}
	}
	if durable {
		if err := j.syncDir(); err != nil {
			j.setFault(err)
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault, j.owed = nil, j.owed && !durable
	return nil
}

// closeOrphans gives up the files of segments that were removed. The disk then
// frees what they hold, which takes its time: Append must not wait for it.
func (j *Journal) closeOrphans() {
	j.mu.Lock()
	orphans := j.orphans
	j.orphans = nil
	j.mu.Unlock()
	for _, s := range orphans {
		s.closeWritten()
	}
}

// unsynced lists the segments that are open for writing, and if they are to be
// durable those too that were closed before they were.
func (j *Journal) unsynced(durable bool) (parts []part) {
	j.appendMu.Lock() // for active
	defer j.appendMu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.file != nil || s.loose && durable {
			parts = append(parts, part{s, s.file, s.size, s.synced, s.end, s == j.active})
		}
	}
	return parts
}

// flushPart makes one segment durable. covered says that all before it is.
func (j *Journal) flushPart(p part, durable, covered bool) (err error) {
	if durable && (p.synced < p.size || p.s.failed != nil) {
		if err := j.syncDir(); err != nil {
			return err
		}
		if p.file == nil {
			if p.file, err = j.openLoose(p.s); p.file == nil {
				return err
			}
		}
		if p.s.again && p.s.failed == nil {
			if err := j.writeAgain(p.s); err != nil {
				return err
			}
			p.s.again = false
		}
		if p.s.failed == nil {
			if p.s.failed = p.file.Sync(); p.s.failed != nil {
				j.suspect()
			}
		}
		if p.s.failed != nil {
			return j.rescue(p.s)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if durable {
		p.s.synced = max(p.s.synced, p.size)
		if p.end > p.s.first && covered {
			j.synced = max(j.synced, p.end-1)
		}
	}
	if !p.active {
		p.s.loose = p.s.synced < p.s.size
		p.s.closeWritten()
	}
	return nil
}

// syncDir makes the names in the directory durable.
func (j *Journal) syncDir() error {
	j.mu.Lock()
	dirty := j.dirDirty
	j.dirDirty = false
	j.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		j.mu.Lock()
		j.dirDirty = true
		j.mu.Unlock()
		return err
	}
	return nil
}

func (j *Journal) setFault(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault = err
}
