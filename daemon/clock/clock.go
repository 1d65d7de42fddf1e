// SPDX-License-Identifier: Apache-2.0

// Package clock measures ages in a way that a step of the wall clock cannot change.
//
// Stored data is marked with the wall clock's time of its receipt. The wall clock can be
// stepped at any time: by NTP at boot, by an operator, or after a wrong real-time clock. So
// the difference of two of its times is not an age. Deleting by this difference could
// delete new data.
//
// # The timeline
//
// A Clock has a timeline, which starts when its file is created and never steps. Within a
// boot it advances with CLOCK_BOOTTIME, which includes suspended time. After a reboot it
// continues at the last saved value, which is at most noteInterval older than the end of
// the previous boot.
//
// The time between two boots is added only if the wall clock was synchronised, for example
// by NTP, in an earlier boot and in two consecutive checks of this one. Otherwise the time
// without power does not count, because it cannot be distinguished from a wrong clock. So a
// measured age never exceeds the true age.
//
// # Epochs
//
// Between two steps the wall clock advances exactly like the timeline, because NTP slews
// both. Such an interval is an epoch. Its offset is the wall clock's time minus the
// timeline. Now detects a step before it returns a time of the new epoch, so each time that
// it returned belongs to a known epoch. At converts such a time to the timeline:
//
//   - If several epochs contain the time, the newest one is used, so the age is the lowest.
//   - An epoch that ended with a detected step contains no later times. An epoch that ended
//     with its process may contain later times, which count as its end.
//   - A time outside all epochs is older than the file, and counts as the start of the
//     timeline.
//
// # The file
//
// The file contains one line of JSON and its CRC32C; see state. It is replaced as a whole
// at each step and every noteInterval. An unreadable file is not overwritten, and reading
// is retried. A damaged file is renamed, and a new timeline starts. Both can only lower
// ages.
//
// If a step back cannot be written, a later process could assign times of the new epoch to
// an old one. Therefore the file is removed.
package clock

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/statefile"
)

const (
	// tolerance is the smallest detected step. Reading two clocks is not instantaneous.
	tolerance = 100 * time.Millisecond
	// slack is how far a time may lie outside its epoch. The kernel sets the times of files
	// some time after Now was called.
	slack = 2 * time.Second
	// noteInterval bounds the time that a power failure removes from the timeline.
	noteInterval = 10 * time.Minute
	// maxEpochs bounds the size of the file; see prune.
	maxEpochs = 256
)

// A Reading is the result of reading both clocks of the machine.
type Reading struct {
	Wall   time.Time
	Uptime time.Duration // CLOCK_BOOTTIME
}

// Options are the dependencies of a Clock.
type Options struct {
	Files  statefile.Files
	Path   string
	BootID string         // id of this boot; "" if unknown: then each process counts as a boot
	Read   func() Reading // nil means the clocks of the machine
	// Synced reports whether the wall clock was synchronised after since, the time of its
	// last step. nil asks the machine.
	Synced   func(since time.Time) bool
	OnDamage func(error) // called if the file was damaged; may be nil
	// OnStep is called once for each step of the wall clock while the Clock is open, with its size,
	// which is negative for a step back. It must not use the Clock. It may be nil.
	OnStep func(by time.Duration)
}

// A Clock measures ages. It is safe for concurrent use.
type Clock struct {
	opts   Options
	view   atomic.Pointer[view]
	opened time.Duration // uptime

	mu        sync.Mutex
	state     state
	base      time.Duration // timeline minus uptime
	loaded    bool          // the file was read, so it may be written
	unsaved   bool          // the file lacks an epoch
	noted     time.Duration // uptime when the file was last written
	written   *epoch        // last epoch in the file, or nil
	candidate time.Duration // offset of the synchronised clock at the last check, or 0
}

// A view contains the data of Now and At. Reading it needs no lock.
type view struct {
	mark   time.Time // a time of the current epoch, with a monotonic reading
	epochs []epoch   // never modified
}

// Open opens the clock. The Clock can be used in any case. The error is why the file cannot
// be used yet; Maintain retries that.
func Open(o Options) (*Clock, error) {
	if o.Synced == nil {
		o.Synced = synced
	}
	if o.OnDamage == nil {
		o.OnDamage = func(error) {}
	}
	if o.OnStep == nil {
		o.OnStep = func(time.Duration) {}
	}
	c := &Clock{opts: o}
	r := c.read()
	c.opened = r.Uptime
	c.state = newState()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look(r)
	return c, c.maintain(r)
}

func (c *Clock) read() Reading {
	if c.opts.Read != nil {
		return c.opts.Read()
	}
	return readClocks()
}

// Now returns the time of the wall clock, and ensures that At knows its epoch. It does not
// allocate, and makes no system call unless the clock was stepped or the machine was
// suspended.
func (c *Clock) Now() time.Time {
	if c.opts.Read == nil {
		if now := time.Now(); steady(c.view.Load().mark, now) {
			return now
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.read()
	if c.look(r) {
		_ = c.save(r) // Maintain retries it and returns the error
	}
	return r.Wall
}

// steady reports whether the wall clock advanced like the monotonic clock.
func steady(mark, now time.Time) bool {
	drift := time.Duration(now.UnixNano()-mark.UnixNano()) - now.Sub(mark)
	return drift.Abs() < tolerance
}

// Age returns the minimum time that has passed since Now returned t.
func (c *Clock) Age(t time.Time) time.Duration {
	at, now := c.at(t)
	return now - at
}

// At returns the latest position on the timeline at which Now can have returned t.
func (c *Clock) At(t time.Time) time.Duration {
	at, _ := c.at(t)
	return at
}

func (c *Clock) at(t time.Time) (position, now time.Duration) {
	wall := c.Now()
	epochs := c.view.Load().epochs
	now = time.Duration(wall.UnixNano()) - epochs[len(epochs)-1].Offset
	return at(epochs, time.Duration(t.UnixNano()), now), now
}

// Steady returns t as a time on the timeline. Only differences of such times are meaningful.
func (c *Clock) Steady(t time.Time) time.Time { return time.Unix(0, int64(c.At(t))) }

// Close saves the end of the process.
func (c *Clock) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.read()
	c.look(r)
	return c.save(r)
}

// look starts a new epoch if the clock was stepped, which it reports.
func (c *Clock) look(r Reading) (stepped bool) {
	now := r.Uptime + c.base
	offset := time.Duration(r.Wall.UnixNano()) - now
	first, before := len(c.state.Epochs) == 0, offset
	if !first {
		before = c.state.last().Offset
	}
	if stepped = c.state.enter(now, offset); stepped {
		c.unsaved = true
		if !first {
			c.opts.OnStep(offset - before)
		}
	}
	c.publish(r.Wall)
	return stepped
}

func (c *Clock) publish(mark time.Time) {
	c.view.Store(&view{mark: mark, epochs: append([]epoch(nil), c.state.Epochs...)})
}
