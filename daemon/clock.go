// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"path/filepath"
	"time"

	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/metrics"
)

// clockName is the file of package clock in the state directory.
const clockName = "clock"

// clockInterval is the interval between two calls of Maintain.
const clockInterval = time.Minute

// openClock opens the clock that measures all ages. Without its file, ages start at 0.
func (d *Daemon) openClock() *clock.Clock {
	c, err := clock.Open(clock.Options{
		Files: d.opts.Files, Path: filepath.Join(d.opts.Dirs.State, clockName), BootID: d.opts.Machine.Boot.ID,
		Read: d.opts.Clocks, OnDamage: func(err error) { d.state.Damaged(metrics.FileClock, err) }, OnStep: d.noteStep,
	})
	d.state.Set(metrics.FileClock, err)
	return c
}

// A clockStep is a step of the wall clock.
type clockStep struct {
	by time.Duration // negative for a step back
	at time.Time     // with a monotonic reading, by the clock after the step
}

// noteStep counts and logs a step of the wall clock. No limit and no id depends on the wall clock,
// but times in events, files and logs do.
func (d *Daemon) noteStep(by time.Duration) {
	d.metrics.ClockSteps.Inc()
	d.lastStep.Store(&clockStep{by, time.Now()})
	d.repeats.Warn("the wall clock was stepped", "by", stepText(by))
}

// stepText returns the size of a step with its sign.
func stepText(by time.Duration) string {
	text := by.Round(time.Millisecond).String()
	if by > 0 {
		text = "+" + text
	}
	return text
}

// refresh updates for a scrape the counters that other parts maintain.
func (d *Daemon) refresh() {
	d.countDrops()
	d.clock.Now() // notes a step
}

// maintainClock maintains the file of the clock until the context ends.
func (d *Daemon) maintainClock(ctx context.Context) {
	tick := time.NewTicker(clockInterval)
	defer tick.Stop()
	defer d.keepsClock.Stop()
	for {
		d.keepsClock.Mark()
		select {
		case <-tick.C:
			d.state.Set(metrics.FileClock, d.clock.Maintain())
		case <-ctx.Done():
			d.state.Set(metrics.FileClock, d.clock.Close())
			return
		}
	}
}
