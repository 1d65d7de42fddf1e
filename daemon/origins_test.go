// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/internal/poll"
)

// enriched contains the fields that the configuration can add to an event.
type enriched struct {
	Message       string            `json:"message"`
	MachineID     string            `json:"machine_id"`
	BootID        string            `json:"boot_id"`
	KernelRelease string            `json:"kernel_release"`
	Labels        map[string]string `json:"labels"`
}

func readEnriched(t *testing.T, text string) (all []enriched) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e enriched
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, e)
	}
	return all
}

func newMachine(digit string) *origin.Machine {
	return &origin.Machine{ID: strings.Repeat("d", 32), Boot: origin.Boot{ID: strings.Repeat(digit, 32), Release: "6.1.0-" + digit}}
}

// receiveInTwoBoots receives an event in each of two boots while the sink does not work, and returns
// the file that the sink writes in the second.
func receiveInTwoBoots(t *testing.T, dirs Dirs, first, second string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	path := filepath.Join(dir, "events.jsonl")
	mkdir := func() {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sinks := "\nshutdown: {drain: 10ms}\nsinks:\n- name: archive\n  file: {path: " + path + "}\n"
	run := func(cfg *config.Config, digit string) fixture {
		k := newKernel()
		dirs.Runtime = t.TempDir() // a tmpfs does not survive a boot
		f := launch(t, cfg, Options{Dirs: dirs, Kernel: k, Echo: prober{}, Machine: newMachine(digit)})
		f.kernel = k
		return f
	}
	mkdir()
	before := run(parse(t, listenAnywhere+first+sinks), "a")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	before.kernel.event("one")
	poll.Until(t, "the journal has the event", func() bool { return before.journal.Stats().Newest == 1 })
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}
	mkdir()
	after := run(parse(t, listenAnywhere+second+sinks), "b")
	after.kernel.event("two")
	poll.Until(t, "both are delivered", func() bool { return after.pipelines.All()[0].State().Delivered == 2 })
	if err := after.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEventKeepsItsBootAfterAReboot(t *testing.T) {
	const all = "event: {labels: {site: berlin, rack: \"7\"}, machine_id: true, boot_id: true, kernel_release: true}"
	labels := map[string]string{"site": "berlin", "rack": "7"}
	a, b, m := newMachine("a"), newMachine("b"), newMachine("a").ID
	want := []enriched{
		{"one", m, a.Boot.ID, a.Boot.Release, labels},
		{"two", m, b.Boot.ID, b.Boot.Release, labels},
	}
	got := receiveInTwoBoots(t, Dirs{State: t.TempDir()}, all, all)
	if diff := cmp.Diff(want, readEnriched(t, got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !strings.Contains(got, `"labels":{"rack":"7","site":"berlin"}`) {
		t.Errorf("the labels are not in order: %s", got)
	}
}

func TestBootIsStoredBeforeItIsRequested(t *testing.T) {
	want := []enriched{{Message: "one", BootID: newMachine("a").Boot.ID}, {Message: "two", BootID: newMachine("b").Boot.ID}}
	got := receiveInTwoBoots(t, Dirs{State: t.TempDir()}, "", "event: {boot_id: true}")
	if diff := cmp.Diff(want, readEnriched(t, got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEventsLackOriginFieldsByDefault(t *testing.T) {
	got := receiveInTwoBoots(t, Dirs{State: t.TempDir()}, "", "")
	if diff := cmp.Diff([]enriched{{Message: "one"}, {Message: "two"}}, readEnriched(t, got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestDaemonStartsIfTheBootsCannotBeWritten(t *testing.T) {
	dirs := Dirs{State: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(dirs.State, origin.FileName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := receiveInTwoBoots(t, dirs, "", "event: {boot_id: true}")
	want := []enriched{{Message: "one"}, {Message: "two", BootID: newMachine("b").Boot.ID}}
	if diff := cmp.Diff(want, readEnriched(t, got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
