// SPDX-License-Identifier: Apache-2.0

// Package clock measures age in a way that a step of the wall clock cannot change.
//
// What is kept is marked with the wall clock's time of its receipt. The wall clock may be
// stepped at any time: by NTP at boot, by an operator, by a wrong real-time clock. So the
// difference of two of its times is not an age, and deciding by it what is to be deleted
// would delete what is new.
//
// # The timeline
//
// A Clock has a timeline, which begins when its file is made and never steps. Within a boot
// it advances with CLOCK_BOOTTIME, which also counts suspended time. After a reboot it goes
// on where it was last noted, at most noteInterval before the end of the boot before.
//
// The time between two boots is added only when the wall clock was synchronised, by NTP say,
// in an earlier boot and, at two looks in a row, in this one.
// Without that the time switched off does not count: nothing else tells it from a wrong
// clock. So the age of something is never more than its true age.
//
// # Epochs
//
// Between two steps the wall clock advances exactly as the timeline does: NTP slews both.
// Such a stretch is an epoch, with the offset of the wall clock to the timeline. Now
// notices a step before it returns a time of the new epoch, so the epoch of each time that
// it returned is known. At translates such a time to the timeline:
//
//   - The newest epoch that can have had the time decides: the one that makes it youngest.
//   - An epoch at whose end a step was seen had no times after that. One that ended with
//     its process may have had later ones, which count as of its end.
//   - A time that no epoch can have had is from before the file was made and counts as of
//     then.
//
// # The file
//
// It holds one line of JSON and the line's CRC32C: see state. It is written at each step
// and every noteInterval, and replaced as a whole. A file that cannot be read is tried
// again and not written over; a damaged one is set aside, and the timeline begins again.
// Either makes things younger, never older.
//
// A step back that cannot be written would let a later process take times of the new epoch
// for old ones: then the file is removed.
package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/statefile"
)

const (
	// tolerance is the smallest step: reading two clocks takes time.
	tolerance = 100 * time.Millisecond
	// slack is how far the times of an epoch may lie outside: those of files are set by
	// the kernel, some time after Now was called.
	slack = 2 * time.Second
	// noteInterval bounds what of a boot's time a power cut takes from the timeline.
	noteInterval = 10 * time.Minute
	// maxEpochs bounds the file: see prune.
	maxEpochs = 256
)

// A Reading is one look at the machine's clocks.
type Reading struct {
	Wall   time.Time
	Uptime time.Duration // CLOCK_BOOTTIME
}

// Options are the surroundings of a Clock.
type Options struct {
	Files  statefile.Files
	Path   string
	BootID string         // of this boot; "" when it is not known: then each process counts as a boot
	Read   func() Reading // nil reads the machine's clocks
	// Synced reports whether the wall clock was synchronised since a time of its own, when
	// it was last stepped. nil asks the machine.
	Synced   func(since time.Time) bool
	OnDamage func(error) // called when the file was damaged; nil for nothing
}

// A Clock is safe for concurrent use.
type Clock struct {
	opts   Options
	view   atomic.Pointer[view]
	opened time.Duration // uptime

	mu        sync.Mutex
	state     state
	base      time.Duration // timeline less uptime
	loaded    bool          // the file was read: it may be written
	unsaved   bool          // an epoch is not in the file
	noted     time.Duration // uptime when the file was last written
	written   *epoch        // the last one in the file, nil when there is none
	candidate time.Duration // offset of the synchronised clock at the last look; 0 is none
}

// A view is what Now and At need, without a lock.
type view struct {
	mark   time.Time // a time of the present epoch, with a monotonic reading
	epochs []epoch   // not modified
}

// Open opens the clock. It always works; the error says why the file cannot be used yet,
// which Maintain tries again.
func Open(o Options) (*Clock, error) {
	if o.Synced == nil {
		o.Synced = synced
	}
	if o.OnDamage == nil {
		o.OnDamage = func(error) {}
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

// Now returns the wall clock's time, of which At knows the epoch. It allocates nothing and
// makes no system call unless the clock was stepped or the machine was suspended.
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
		_ = c.save(r) // Maintain tries again and reports it
	}
	return r.Wall
}

// steady reports whether the wall clock has advanced as the monotonic clock has.
func steady(mark, now time.Time) bool {
	drift := time.Duration(now.UnixNano()-mark.UnixNano()) - now.Sub(mark)
	return drift.Abs() < tolerance
}

// Age returns the least time that can have passed since Now returned t.
func (c *Clock) Age(t time.Time) time.Duration {
	at, now := c.at(t)
	return now - at
}

// At returns the latest place on the timeline at which Now can have returned t.
func (c *Clock) At(t time.Time) time.Duration {
	at, _ := c.at(t)
	return at
}

func (c *Clock) at(t time.Time) (place, now time.Duration) {
	wall := c.Now()
	epochs := c.view.Load().epochs
	now = time.Duration(wall.UnixNano()) - epochs[len(epochs)-1].Offset
	return at(epochs, time.Duration(t.UnixNano()), now), now
}

// Steady returns t as a time on the timeline, for differences alone.
func (c *Clock) Steady(t time.Time) time.Time { return time.Unix(0, int64(c.At(t))) }

// Maintain looks at the clocks and keeps the file. Call it once a minute and at the end.
// The error says why the file cannot be read or written.
func (c *Clock) Maintain() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.read()
	c.look(r)
	c.link()
	return c.maintain(r)
}

func (c *Clock) maintain(r Reading) error {
	if !c.loaded {
		if err := c.load(r); err != nil {
			return err
		}
	}
	if !c.unsaved && r.Uptime-c.noted < noteInterval {
		return nil
	}
	return c.save(r)
}

// Close notes the end of the process.
func (c *Clock) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.read()
	c.look(r)
	return c.save(r)
}

// look begins an epoch if the clock was stepped, which it reports.
func (c *Clock) look(r Reading) (stepped bool) {
	now := r.Uptime + c.base
	offset := time.Duration(r.Wall.UnixNano()) - now
	if stepped = c.state.enter(now, offset); stepped {
		c.unsaved = true
	}
	c.publish(r.Wall)
	return stepped
}

func (c *Clock) publish(mark time.Time) {
	c.view.Store(&view{mark: mark, epochs: append([]epoch(nil), c.state.Epochs...)})
}

// load reads the file and puts what this process has seen behind it.
func (c *Clock) load(r Reading) error {
	text, err := c.opts.Files.Read(c.opts.Path)
	before := newState()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		var damage error
		if before, damage = parse(text); damage != nil {
			if err := c.opts.Files.SetAside(c.opts.Path); err != nil {
				return errors.Join(damage, err)
			}
			c.opts.OnDamage(fmt.Errorf("%s: %w: it is now %[1]s.damaged, and all ages begin again", c.opts.Path, damage))
			before = newState()
		}
	}
	sameBoot := c.opts.BootID != "" && before.BootID == c.opts.BootID && before.Uptime <= c.opened
	base := before.At - c.opened
	if sameBoot {
		base = before.At - before.Uptime
	}
	if n := len(before.Epochs); n > 0 {
		last := before.Epochs[n-1]
		c.written = &last
	}
	c.state = before.followedBy(c.state, base-c.base, sameBoot)
	c.base, c.loaded, c.unsaved = base, true, true
	c.publish(r.Wall)
	return nil
}

// link adds the time between two boots to the timeline, once for each boot.
func (c *Clock) link() {
	s := &c.state
	if !c.loaded || !c.opts.Synced(time.Unix(0, int64(s.last().From+s.last().Offset))) {
		c.candidate = 0
		return
	}
	if s.Synced == nil || s.Synced.Boot == s.Boot {
		s.Synced = &syncPoint{s.last().Offset, s.Boot}
		return
	}
	if offset := s.last().Offset; (c.candidate - offset).Abs() > tolerance {
		c.candidate = offset // the next look confirms it
		return
	}
	if gap := s.last().Offset - s.Synced.Offset; gap > 0 {
		s.shiftSince(s.Synced.Boot, gap)
		if c.written != nil {
			c.written.shiftSince(s.Synced.Boot, gap)
		}
		c.base += gap
	}
	s.Synced = &syncPoint{s.last().Offset, s.Boot}
	c.unsaved = true
	c.publish(c.view.Load().mark)
}

// save writes the file, if it was read.
func (c *Clock) save(r Reading) error {
	if !c.loaded {
		return nil
	}
	c.state.BootID, c.state.Uptime, c.state.At = c.opts.BootID, r.Uptime, r.Uptime+c.base
	err := c.opts.Files.Replace(c.opts.Path, c.state.encode())
	if err != nil {
		if w := c.written; w != nil && c.state.steppedBack(w) {
			if rerr := c.opts.Files.Remove(c.opts.Path); rerr != nil {
				return errors.Join(err, rerr)
			}
			c.written = nil
		}
		return err
	}
	last := *c.state.last()
	c.unsaved, c.noted, c.written = false, r.Uptime, &last
	return nil
}
