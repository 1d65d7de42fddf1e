// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/internal/poll"
)

// hostsIn returns the host of each event in a file of lines, by its number.
func hostsIn(t *testing.T, path string) map[uint64]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[uint64]string{}
	for line := range strings.Lines(string(text)) {
		var e struct {
			Seq  uint64
			Host string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		hosts[e.Seq] = e.Host
	}
	return hosts
}

// The same id must never have two hosts: not for a sink that was down when the machine was
// renamed, and not after a restart.
func TestEventKeepsItsHostAfterARenameAndARestart(t *testing.T) {
	dirs, out := Dirs{State: t.TempDir(), Runtime: t.TempDir()}, t.TempDir()
	var name atomic.Value
	name.Store("localhost")
	yaml := func(event string) string {
		return listenAnywhere + "shutdown: {drain: 10ms}\nevent: {host: '" + event + "'}\nsinks:\n" +
			"- {name: now, file: {path: " + out + "/now}}\n- {name: late, file: {path: " + out + "/missing/late}}\n"
	}
	run := func(event string) fixture {
		k := newKernel()
		f := launch(t, parse(t, yaml(event)), Options{
			Dirs: dirs, Kernel: k, Echo: prober{}, Machine: newMachine("a"),
			Host: func() (string, error) {
				if name.Load() == "" {
					return "", errors.New("no name")
				}
				return name.Load().(string), nil
			},
		})
		f.kernel = k
		return f
	}
	want := map[uint64]string{}
	receive := func(f fixture, host string) {
		t.Helper()
		before := f.pipelines.All()[0].State().Delivered
		f.kernel.event("x")
		poll.Until(t, "the event is delivered", func() bool { return f.pipelines.All()[0].State().Delivered == before+1 })
		want[f.journal.Stats().Newest] = host
	}
	f := run("")
	receive(f, "localhost")
	name.Store("web-1")
	f.origins.Look() // as the tracker does each second
	receive(f, "web-1")
	receive(f, "web-1")
	name.Store("") // cannot be read
	f.origins.Look()
	receive(f, "web-1")
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	name.Store("web-2")
	f = run("")
	receive(f, "web-2")
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	f = run("chosen")
	receive(f, "chosen")
	if err := os.Mkdir(filepath.Join(out, "missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the late sink has all events", func() bool { s := f.pipelines.All()[1].State(); return s.Waiting+s.InFlight == 0 })
	for _, path := range []string{out + "/now", out + "/missing/late"} {
		if diff := cmp.Diff(want, hostsIn(t, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	var dump strings.Builder
	if _, err := record.Dump(filepath.Join(dirs.State, "journal"), &dump); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path, []byte(dump.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for seq, host := range hostsIn(t, path) {
		if host != want[seq] {
			t.Errorf("the dump shows %q for event %d, want %q", host, seq, want[seq])
		}
	}
}

func TestReloadChangesTheHostOfLaterEvents(t *testing.T) {
	r := startReloadable(t, listenAnywhere+"event: {host: one}\nsinks:\n- {name: out, file: {path: DIR/out}}\n")
	r.kernel.event("x")
	poll.Until(t, "the event is journaled", func() bool { return r.journal.Stats().Newest == 1 })
	if _, err := r.reload(t, listenAnywhere+"event: {host: two}\nsinks:\n- {name: out, file: {path: DIR/out}}\n"); err != nil {
		t.Fatal(err)
	}
	r.kernel.event("x")
	poll.Until(t, "both are delivered", func() bool { return r.worker(t, "out").State().Delivered == 2 })
	for seq, want := range map[uint64]string{1: "one", 2: "two"} {
		if _, host := r.origins.Of(seq); host != want {
			t.Errorf("event %d is of %q, want %q", seq, host, want)
		}
	}
}
