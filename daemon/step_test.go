// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// clocks are the clocks of a machine, which a test sets.
type clocks struct {
	mu     sync.Mutex
	wall   time.Time
	uptime time.Duration
}

func (c *clocks) read() clock.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Reading{Wall: c.wall, Uptime: c.uptime}
}

// advance lets time pass, and steps the wall clock.
func (c *clocks) advance(d, step time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.uptime = c.wall.Add(d+step), c.uptime+d
}

// A machine boots in 2020 and NTP steps its clock to the present, before, during or after a
// restart, or in another boot. Limits of the age must drop old events only.
func TestClockStepDropsNoEvents(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		step   time.Duration
		reboot bool
	}{
		"forward": {6 * year, false}, "back": {-6 * year, false},
		"forward in another boot": {6 * year, true}, "back in another boot": {-6 * year, true},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := Dirs{State: t.TempDir()}
			dir := filepath.Join(t.TempDir(), "missing")
			late := "{name: late, max_age: 1h, retry_min: 10ms, retry_max: 10ms, file: {path: " + filepath.Join(dir, "out") + "}}"
			yaml := listenAnywhere + "journal: {max_age: 1h}\nshutdown: {drain: 10ms}\nsinks:\n- " + late + "\n"
			at := &clocks{wall: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), uptime: time.Minute}
			run := func(boot string) fixture {
				k := newKernel()
				dirs.Runtime = t.TempDir()
				f := launch(t, parse(t, yaml), Options{Dirs: dirs, Kernel: k, Echo: prober{}, Machine: newMachine(boot), Clocks: at.read})
				f.kernel = k
				return f
			}
			receive := func(f fixture) {
				before := f.journal.Stats().Newest
				for range 10 {
					f.kernel.event("x")
				}
				poll.Until(t, "the journal has the events", func() bool { return f.journal.Stats().Newest >= before+10 })
			}
			f := run("a")
			receive(f)
			at.advance(time.Second, c.step)
			receive(f)
			if err := f.stop(); err != nil {
				t.Fatal(err)
			}
			at.advance(time.Second, -c.step/2)
			if f = run("a"); c.reboot {
				if err := f.stop(); err != nil {
					t.Fatal(err)
				}
				at.advance(0, 0)
				at.uptime = time.Second
				f = run("b")
			}
			receive(f)
			at.advance(time.Second, c.step)
			receive(f)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			poll.Until(t, "all events have an outcome", func() bool { s := f.pipelines.All()[0].State(); return s.Waiting+s.InFlight == 0 })
			s := f.pipelines.All()[0].State()
			if dropped := s.Dropped[metrics.DroppedAge] + s.Dropped[metrics.DroppedJournal]; s.Delivered != 40 && !c.reboot || dropped != 0 {
				t.Errorf("%+v, want 40 delivered", s)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			receive(f)
			at.advance(2*time.Hour, -time.Hour)
			poll.Until(t, "old events are dropped", func() bool {
				s := f.pipelines.All()[0].State()
				return s.Dropped[metrics.DroppedAge]+s.Dropped[metrics.DroppedJournal] == 10
			})
		})
	}
}
