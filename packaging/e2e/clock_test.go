// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A stepper steps the clock of the VM, sends an event at each time, and checks what the
// daemon has kept.
type stepper struct {
	unit
	began  time.Time // with a monotonic reading
	offset time.Duration
	sent   int
}

// lateDir is missing until the test creates it: a sink that writes there keeps its events.
var lateDir = filepath.Dir(eventFile) + "/late"

const limits = "journal: {max_age: 1h, keep_removed_sinks: 1h}\nshutdown: {drain: 0}\n"

func stepSinks() string {
	return limits + fileSink +
		"- {name: late, max_age: 1h, retry_max: 200ms, file: {path: " + lateDir + "/events}}\n" +
		"- {name: refused, dead_letters: {max_age: 1h}, exec: {argv: [/bin/false]}}\n"
}

// removable is a sink that reloads add and remove. If it was forgotten, it misses events.
func removable() string {
	return "- {name: removed, start: now, retry_max: 200ms, file: {path: " + lateDir + "/removed}}\n"
}

func startStepper(t *testing.T) *stepper {
	t.Helper()
	if err := os.RemoveAll(lateDir); err != nil {
		t.Fatal(err)
	}
	s := &stepper{unit: start(t, stepSinks()+removable(), ""), began: time.Now()}
	t.Cleanup(func() {
		s.set(0)
		os.RemoveAll(lateDir) // nothing else uses it
	})
	return s
}

// set sets the wall clock to the right time plus offset.
func (s *stepper) set(offset time.Duration) {
	s.t.Helper()
	right := s.began.Round(0).Add(time.Since(s.began))
	if out, err := exec.Command("date", "-s", "@"+strconv.FormatInt(right.Add(offset).Unix(), 10)).CombinedOutput(); err != nil {
		s.t.Fatalf("date: %v: %s", err, out)
	}
	s.offset = offset
}

// send sends an event, and waits until each sink has delivered, kept or refused it.
func (s *stepper) send() {
	s.t.Helper()
	from := time.Now().Round(0)
	write(s.t, ping, fmt.Sprint("event ", s.sent))
	s.sent++
	s.eventually("the event in the archive", func() bool { return len(events(s.t)) == s.sent })
	s.eventually("a dead letter for each event", func() bool {
		return metric(`genltestd_sink_dead_letters{sink="refused"}`) == float64(s.sent)
	})
	s.eventually("each event waits for the late sink", func() bool {
		return metric(`genltestd_sink_events_waiting{sink="late"}`)+metric(`genltestd_sink_events_in_flight{sink="late"}`) == float64(s.sent)
	})
	list := stamped(s.t, eventFile)
	last, to := list[len(list)-1], time.Now().Round(0)
	const slack = time.Minute // the steps are years
	for name, at := range map[string]time.Time{"time": last.Time, "kernel_time": last.KernelTime} {
		if at.Before(from.Add(-slack)) || at.After(to.Add(slack)) {
			s.t.Errorf("%s of %q is %v, the event was sent between %v and %v", name, last.Message, at, from, to)
		}
	}
}

// restart begins a segment, so that the limits of age apply to those before.
func (s *stepper) restart() {
	s.t.Helper()
	command(s.t, "systemctl", "restart", "genltestd")
	s.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
}

type stampedEvent struct {
	ID, Message string
	Seq         uint64
	Time        time.Time
	KernelTime  time.Time `json:"kernel_time"`
}

func stamped(t *testing.T, file string) (list []stampedEvent) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e stampedEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// NTP steps the clock of a machine that booted with a wrong one, and an operator steps it
// back: nothing that is minutes old reaches an age limit of an hour, and the ids and times
// of events stay right.
func TestClockStepExpiresNothing(t *testing.T) {
	const years = 6 * 365 * 24 * time.Hour
	s := startStepper(t)
	s.send()
	write(t, configFile, stepSinks())
	command(t, "systemctl", "reload", "genltestd") // removes the sink "removed"
	for _, offset := range []time.Duration{years, -years, 0} {
		s.set(offset)
		s.send()
		command(t, "systemctl", "reload", "genltestd") // checks the removed sinks
		s.restart()
		s.send()
	}
	write(t, configFile, stepSinks()+removable())
	command(t, "systemctl", "reload", "genltestd")
	if err := os.Mkdir(lateDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(lateDir, 0o777); err != nil { // despite the umask
		t.Fatal(err)
	}
	for _, name := range []string{"late", "removed"} {
		s.eventually(name+" has all events", func() bool {
			waiting := metric(fmt.Sprintf(`genltestd_sink_events_waiting{sink=%q}`, name))
			return waiting+metric(fmt.Sprintf(`genltestd_sink_events_in_flight{sink=%q}`, name)) == 0
		})
	}
	s.checkKept()
}

// checkKept compares what the sinks have in the end.
func (s *stepper) checkKept() {
	s.t.Helper()
	list := stamped(s.t, eventFile)
	var ids []string
	for i, e := range list {
		ids = append(ids, e.ID)
		journal, _, _ := strings.Cut(list[0].ID, "-")
		if e.ID != fmt.Sprintf("%s-%d", journal, e.Seq) || i > 0 && e.Seq <= list[i-1].Seq {
			s.t.Errorf("event %q has the id %s and the number %d", e.Message, e.ID, e.Seq)
		}
	}
	for _, name := range []string{"events", "removed"} {
		if again := requireAll(s.t, name, ids, fileIDs(s.t, lateDir+"/"+name)); again > 0 {
			s.t.Errorf("%s: %d events were repeated", name, again)
		}
	}
	letters := command(s.t, "genltestctl", "dlq", "list", "refused")
	for _, id := range ids {
		if !strings.Contains(letters, id) {
			s.t.Errorf("there is no dead letter %s:\n%s", id, letters)
		}
	}
}
