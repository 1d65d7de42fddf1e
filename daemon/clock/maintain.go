// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Maintain reads the clocks and updates the file. Call it once a minute and at the end. The
// error is why the file cannot be read or written.
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

// load reads the file and appends the epochs of this process.
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
			c.opts.OnDamage(fmt.Errorf("%s: %w: the file was renamed to %[1]s.damaged, and all ages start at 0", c.opts.Path, damage))
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

// link adds the time between two boots to the timeline, once per boot.
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
		c.candidate = offset // must be confirmed by the next check
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

// save writes the file if it was read before.
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
