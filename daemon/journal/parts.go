// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// An env is shared by all parts of a journal. Only the options change after Open.
type env struct {
	dir    string
	fs     vfs.FS
	log    *slog.Logger
	who    segment.Identity
	now    func() time.Time
	steady func(time.Time) time.Time
	work   signal // there is work for the maintainer

	// options is stored with the locks of the syncer and of the writer held, so it does
	// not change while a caller holds one of them.
	options atomic.Pointer[Options]
}

func (e *env) path(name string) string { return filepath.Join(e.dir, name) }

func (e *env) segmentPath(s *logSegment) string { return e.path(segment.Name(s.first)) }

// age returns how much time has passed since t.
func (e *env) age(t time.Time) time.Duration { return e.steady(e.now()).Sub(e.steady(t)) }

// fsync returns the policy.
func (e *env) fsync() Fsync { return e.options.Load().Fsync }

// A signal remembers at most one event.
type signal chan struct{}

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default: // the last one was not received yet
	}
}

// A condition is how far the journal can be used. No other lock is taken while its lock
// is held.
type condition struct {
	mu       sync.Mutex
	used     bool  // Append, Read, Commit or Trim was called: files may be changed
	begun    bool  // the repairs that Append requires are done
	closed   bool  // Close was called
	unsynced bool  // an earlier policy has left something that FsyncAlways must make durable first
	away     error // why directory or files are not where they should be
	fault    error // why the disk does not keep what was appended
	unfit    error // why the repairs are not done
}

// An entry is the part of a condition that Append needs.
type entry struct {
	begun, unsynced bool
	away, fault     error
}

// enter is use for Append.
func (c *condition) enter() entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = true
	return entry{c.begun, c.unsynced, c.away, c.fault}
}

// use notes that the journal is used. It reports whether this is the first use.
func (c *condition) use() (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = !c.used
	c.used = true
	return first
}

func (c *condition) isUsed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// lifetime returns whether the repairs are done, and whether the journal is closed.
func (c *condition) lifetime() (begun, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun, c.closed
}

// close notes that the journal is closed. It reports whether that was noted before.
func (c *condition) close() (before bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.closed
	c.closed = true
	return before
}

// prepared notes the result of the repairs.
func (c *condition) prepared(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unfit = err
	c.begun = c.begun || err == nil
}

// setUnsynced notes that something before the next Append is not durable.
func (c *condition) setUnsynced() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsynced = true
}

// flushed notes the result of making segments durable. all means all of them.
func (c *condition) flushed(err error, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = err
	if err == nil && all {
		c.unsynced = false
	}
}

// setAway sets the reason why the journal is not where it should be; nil if it is.
func (c *condition) setAway(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = err
}

// leave sets errAway, unless there is a reason already. It reports whether it did.
func (c *condition) leave() (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first = c.away == nil; first {
		c.away = errAway
	}
	return first
}

// faults returns the reasons why nothing can be appended.
func (c *condition) faults() (away, fault, unfit error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away, c.fault, c.unfit
}
