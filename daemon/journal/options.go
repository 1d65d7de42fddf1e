// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"log/slog"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// Fsync is the policy that decides when appended records become durable against a power
// cut. Against the end of the process they are durable at once.
type Fsync int

const (
	// FsyncInterval makes records durable within Options.SyncInterval, all batches of that
	// time together.
	FsyncInterval Fsync = iota
	// FsyncAlways makes records durable before Append returns.
	FsyncAlways
	// FsyncNever leaves it to the kernel.
	FsyncNever
)

// Options are the limits and dependencies of a journal. The zero value is usable.
// Configure changes them later.
type Options struct {
	SegmentBytes int64         // of one file; 0 is 16 MiB; never more than a quarter of MaxBytes
	MaxBytes     int64         // of all segments; 0 means unlimited
	MaxAge       time.Duration // of a segment's newest record; 0 means unlimited
	Fsync        Fsync
	SyncInterval time.Duration // 0 is 100 ms
	// CommitInterval is the interval in which the cursors are made durable, each by an fsync
	// of its own; 0 is 1 s.
	CommitInterval time.Duration
	Now            func() time.Time // nil is time.Now
	// Steady converts times to a clock that is not stepped. MaxAge and Trim measure ages by
	// it. nil uses times as they are.
	Steady func(time.Time) time.Time
	FS     vfs.FS // nil is the disk of the machine
	// Log receives a line for each file or piece that is broken, cut off, removed, reset or
	// unreadable. nil discards them.
	Log *slog.Logger
}

const (
	defaultSegmentBytes = 16 << 20
	defaultSyncInterval = 100 * time.Millisecond

	defaultCommitInterval = time.Second
)

func (o *Options) setDefaults() {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.MaxBytes > 0 {
		o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = defaultSyncInterval
	}
	if o.CommitInterval <= 0 {
		o.CommitInterval = defaultCommitInterval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Steady == nil {
		o.Steady = func(t time.Time) time.Time { return t }
	}
	if o.FS == nil {
		o.FS = vfs.Disk{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Configure changes the options of a journal that is in use, except Now, Steady, FS and
// Log. Before it returns it removes what exceeds the new limits, unless a pinned reader
// retains that. The policy also applies to records that were appended before: with
// FsyncInterval they are durable within the interval, with FsyncAlways before the next
// Append returns. Configure waits for a running fsync.
func (j *Journal) Configure(o Options) {
	y := j.syncer
	y.mu.Lock()
	defer y.mu.Unlock()
	if !j.adopt(o) {
		return
	}
	y.retention.removeOld()
	y.retention.removeExcess()
	j.work.set()
	j.maintainer.changed.set()
}

// adopt stores the options, unless the journal is closed. The caller holds the lock of
// the syncer.
func (j *Journal) adopt(o Options) bool {
	j.writer.mu.Lock()
	defer j.writer.mu.Unlock()
	if _, closed := j.cond.lifetime(); closed {
		return false
	}
	before := j.options.Load()
	o.Now, o.Steady, o.FS, o.Log = before.Now, before.Steady, before.FS, before.Log
	o.setDefaults()
	if o.Fsync == FsyncAlways && before.Fsync != FsyncAlways {
		j.cond.setUnsynced()
	}
	j.options.Store(&o)
	return true
}
