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
		Read: d.opts.Clocks, OnDamage: func(err error) { d.state.Damaged(metrics.FileClock, err) },
	})
	d.state.Set(metrics.FileClock, err)
	return c
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
