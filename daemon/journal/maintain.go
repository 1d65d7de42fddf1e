// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/internal/progress"
)

// A maintainer does in the background what Append and Commit need not wait for: it makes
// segments and cursors durable, reserves numbers, and removes segments.
type maintainer struct {
	*env
	syncer   *syncer
	location *location

	beat    progress.Beat
	changed signal // the options have changed
	quit    chan struct{}
	done    chan struct{}
}

// maintainLoop runs until quit is closed. It sleeps without work.
func (m *maintainer) maintainLoop() {
	defer close(m.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	defer m.beat.Stop()
	for {
		m.beat.Mark()
		select {
		case <-m.quit:
			return
		case <-look.C:
			m.location.look()
			if m.options.Load().MaxAge == 0 {
				continue
			}
		case <-m.work:
			if !m.pause(pause, look.C) {
				return
			}
		}
		if err := m.syncer.maintain(); err != nil {
			m.work.set() // try again after a pause
		}
	}
}

// pause waits until SyncInterval has passed, which may change in the meantime. It reports
// false if quit is closed. It checks the location of the files while it waits.
func (m *maintainer) pause(timer *time.Timer, look <-chan time.Time) bool {
	began := time.Now()
	for {
		m.beat.Mark()
		timer.Reset(m.options.Load().SyncInterval - time.Since(began))
		select {
		case <-m.quit:
			return false
		case <-look:
			m.location.look()
		case <-m.changed:
		case <-timer.C:
			return true
		}
	}
}

// Busy returns how long the present step of the maintenance, or the present append, has lasted: less
// than a few seconds, unless the disk does not answer.
func (j *Journal) Busy() time.Duration { return max(j.maintainer.beat.Age(), j.writer.beat.Age()) }

// stop ends the loop, and waits for it.
func (m *maintainer) stop() {
	close(m.quit)
	<-m.done
}

// maintain makes durable what is not durable, and removes what no reader needs.
func (y *syncer) maintain() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.cond.isUsed() {
		return nil
	}
	err := y.repairs.run()
	// Reserve numbers first: to sync a segment may take longer than the reserve lasts.
	if err == nil && !y.index.isSealed() {
		err = y.state.Reserve(y.index.next())
	}
	err = errors.Join(err, y.syncSegments(), y.syncCursors())
	y.retention.removeOld()
	y.retention.removeExcess()
	err = errors.Join(err, y.retention.removeConsumed())
	if err == nil && y.fsync() != FsyncNever {
		y.state.NoteEnds(y.durableEnds())
	}
	return err
}

// durableEnds returns the first numbers of the oldest and the newest segment. The number
// of a segment that may not be durable is 0.
func (y *syncer) durableEnds() (oldest, newest uint64) {
	y.index.mu.Lock()
	defer y.index.mu.Unlock()
	oldest, newest = y.index.ends()
	if n := len(y.index.segments); n > 0 && y.index.segments[n-1].synced <= segment.HeaderLen {
		newest = 0
	}
	return oldest, newest
}

// syncCursors writes the cursors, and makes them durable at most once in CommitInterval:
// with many readers that is slower than syncing the segments, which must not wait.
func (y *syncer) syncCursors() error {
	now, o := y.now(), y.options.Load()
	durable := o.Fsync != FsyncNever && now.Sub(y.cursorsSynced) >= o.CommitInterval
	if durable {
		y.cursorsSynced = now
	}
	err := y.cursors.Flush(durable)
	if y.cursors.Pending(o.Fsync != FsyncNever) {
		y.work.set() // again after a pause
	}
	return err
}
