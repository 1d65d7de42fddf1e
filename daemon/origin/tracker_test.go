// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// A world is the surroundings of a Tracker.
type world struct {
	next    uint64
	name    string
	nameErr error
	results []error
}

func (w *world) tracker(files statefile.Files, path string, cfg Config) *Tracker {
	return NewTracker(TrackerOptions{
		Options: Options{Files: files, Path: path, JournalID: "j"}, Oldest: 1,
		Next:     func() uint64 { return w.next },
		Machine:  &Machine{ID: strings.Repeat("d", 32), Boot: boot("a", "6.1")},
		Hostname: func() (string, error) { return w.name, w.nameErr },
		OnResult: func(err error) { w.results = append(w.results, err) },
		Log:      slog.New(slog.DiscardHandler),
	}, cfg)
}

func wantHost(t *testing.T, tracker *Tracker, seq uint64, want string) {
	t.Helper()
	if _, host := tracker.Of(seq); host != want {
		t.Errorf("event %d has the host %q, want %q", seq, host, want)
	}
}

func TestTrackerShowsANewNameFromTheNextEventOn(t *testing.T) {
	w := &world{next: 1, name: "one"}
	tracker := w.tracker(statefile.Disk{}, filepath.Join(t.TempDir(), FileName), Config{})
	w.next, w.name = 2, "two"
	tracker.Look()
	wantHost(t, tracker, 1, "one")
	wantHost(t, tracker, 2, "one") // until an event is journaled
	tracker.Apply()
	wantHost(t, tracker, 1, "one")
	wantHost(t, tracker, 2, "two")
	w.next, w.nameErr = 3, unix.EIO
	tracker.Look()
	tracker.Apply()
	wantHost(t, tracker, 3, "two")
	tracker.Configure(Config{Host: "three"})
	tracker.Apply()
	wantHost(t, tracker, 2, "two")
	wantHost(t, tracker, 3, "three")
}

func TestTrackerShowsNoHostThatCannotBeStored(t *testing.T) {
	w := &world{next: 1, name: "one"}
	files := &faulty{fail: always("")}
	tracker := w.tracker(files, filepath.Join(t.TempDir(), FileName), Config{})
	w.next, w.name = 2, "two"
	files.fail = always("replace")
	tracker.Look()
	tracker.Apply()
	wantHost(t, tracker, 2, "one")
	if err := w.results[len(w.results)-1]; err == nil {
		t.Error("the failure was not reported")
	}
	files.fail = always("")
	tracker.Look()
	tracker.Apply()
	wantHost(t, tracker, 2, "two")
	if err := w.results[len(w.results)-1]; err != nil {
		t.Errorf("the file works, and the last result is %v", err)
	}
}

func TestTrackerAddsTheConfiguredFields(t *testing.T) {
	w := &world{next: 1, name: "one"}
	tracker := w.tracker(statefile.Disk{}, filepath.Join(t.TempDir(), FileName), Config{})
	if o, _ := tracker.Of(1); o != nil {
		t.Errorf("origin %+v, want none", o)
	}
	tracker.Configure(Config{MachineID: true, BootID: true, Labels: map[string]string{"site": "b", "rack": "7"}})
	o, _ := tracker.Of(1)
	if o == nil || o.MachineID != w.machineID() || o.BootID != strings.Repeat("a", 32) || o.KernelRelease != "" ||
		len(o.Labels) != 2 || o.Labels[0] != (event.Label{Name: "rack", Value: "7"}) {
		t.Errorf("origin %+v", o)
	}
}

func (*world) machineID() string { return strings.Repeat("d", 32) }
