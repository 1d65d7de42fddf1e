// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/clock"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
	"github.com/genltestd/genltestd/metrics/scrape"
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

// waits reports whether one event of a sink does not have an outcome yet.
func waits(t *testing.T, f fixture, sink string) bool {
	t.Helper()
	s := sinkState(t, f, sink)
	return s.Waiting+s.InFlight == 1
}

// The metric and the status show how far a sink is behind, from the same source.
func TestClockStepDoesNotChangeHowFarASinkIsBehind(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "out")
	at := &clocks{wall: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), uptime: time.Minute}
	yaml := listenAnywhere + "shutdown: {drain: 0}\nsinks:\n- {name: idle, filter: 'false', stdout: {}}\n" +
		"- {name: fails, retry_min: 1h, retry_max: 1h, file: {path: " + missing + "}}\n" +
		"- {name: paused, retry_min: 1h, retry_max: 1h, file: {path: " + missing + "2}}\n"
	k := newKernel()
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	f := launch(t, parse(t, yaml), Options{Dirs: dirs, Kernel: k, Echo: prober{}, Machine: newMachine("a"), Clocks: at.read})
	f.kernel = k
	f.ready(t)
	if _, err := api.NewClient(dirs.controlSocket()).Pause(t.Context(), "paused"); err != nil {
		t.Fatal(err)
	}
	f.kernel.event("x")
	poll.Until(t, "the event waits", func() bool {
		return sinkState(t, f, "fails").Failures == 1 && waits(t, f, "paused")
	})
	at.advance(time.Minute, 6*365*24*time.Hour)
	f.get(t, "/metrics")
	at.advance(time.Minute, -7*365*24*time.Hour)
	s := f.Status()
	_, page := f.get(t, "/metrics")
	samples := sinkSamples(t, page)
	for name, want := range map[string]float64{"idle": 0, "fails": 120, "paused": 120} {
		if got := sinkOf(t, s, name).BehindS; got != want || samples[name]["behind_seconds"] != want {
			t.Errorf("%s is %v s behind in the status, and %v s in the metric, want %v", name, got, samples[name]["behind_seconds"], want)
		}
	}
	if steps, ok := scrape.Sum(page, "genltestd_clock_steps_total"); !ok || steps != 2 {
		t.Errorf("%v steps of the clock, want 2", steps)
	}
	const step = "the wall clock was stepped by -61320h0m0s"
	if len(s.Notes) != 1 || s.Notes[0].Part != "clock" || s.Notes[0].Text != step || s.Notes[0].Since == nil {
		t.Errorf("notes %+v", s.Notes)
	}
}

// A sink whose attempts do not fail is not a fault, however old its oldest event is.
func TestASlowSinkIsNoted(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	at := &clocks{wall: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), uptime: time.Minute}
	hook := "attempt_timeout: 1h, webhook: {url: '" + server.URL + "'}"
	yaml := listenAnywhere + "shutdown: {drain: 0}\nsinks:\n- {name: slow, " + hook + "}\n- {name: patient, batch_wait: 1m, " + hook + "}\n"
	k := newKernel()
	f := launch(t, parse(t, yaml), Options{Kernel: k, Echo: prober{}, Machine: newMachine("a"), Clocks: at.read})
	f.kernel = k
	f.ready(t)
	f.kernel.event("x")
	poll.Until(t, "the event is read", func() bool { return waits(t, f, "slow") && waits(t, f, "patient") })
	for _, c := range []struct {
		wait  time.Duration
		notes int
	}{{30 * time.Second, 0}, {time.Second, 1}, {59 * time.Second, 1}, {time.Second, 2}} {
		at.advance(c.wait, 0)
		s := f.Status()
		if len(s.Notes) != c.notes || !s.Healthy {
			t.Fatalf("%+v after another %v, healthy %t", s.Notes, c.wait, s.Healthy)
		}
	}
	const want = "the sink is slow: its oldest event has waited for 1m31s, and no attempt has failed; no event was accepted since the start"
	if n := f.Status().Notes[0]; n.Part != "delivery/slow" || n.Text != want {
		t.Errorf("%+v", n)
	}
}
