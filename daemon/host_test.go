// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/statefile"
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
	if _, err := record.Dump(filepath.Join(dirs.State, "journal"), &dump, nil); err != nil {
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

// TestConcurrentBatchesDoNotChangeTheHostOfAnEvent: several receivers journal events while the
// machine is renamed.
func TestConcurrentBatchesDoNotChangeTheHostOfAnEvent(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var names atomic.Int64
	tracker := origin.NewTracker(origin.TrackerOptions{
		Options: origin.Options{Files: statefile.Disk{}, Path: filepath.Join(dir, origin.FileName), JournalID: j.ID()},
		Oldest:  1, Next: func() uint64 { return j.Stats().Last + 1 }, Machine: newMachine("a"),
		Hostname: func() (string, error) { return fmt.Sprint("host-", names.Add(1)), nil },
		OnResult: func(error) {}, Log: slog.New(slog.DiscardHandler),
	}, origin.Config{})
	reader, err := j.NewReader("r", journal.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hosts := hostJournal{j, func() *origin.Tracker { return tracker }, &sync.Mutex{}}
	const receivers, batches = 4, 500
	var journaling sync.WaitGroup
	for range receivers {
		journaling.Go(func() {
			for range batches {
				if err := hosts.Append(nil, time.Now(), [][]byte{[]byte("x")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		journaling.Wait()
		j.Seal()
	}()
	shown, records := map[uint64]string{}, make([]journal.Record, 10)
	for n := 0; err == nil; n, _, err = reader.Read(t.Context(), records) {
		for _, r := range records[:n] {
			_, shown[r.Seq] = tracker.Of(r.Seq)
		}
		tracker.Look()
	}
	for seq, host := range shown {
		if _, now := tracker.Of(seq); now != host {
			t.Errorf("event %d had the host %s, and has %s", seq, host, now)
		}
	}
	if len(shown) != receivers*batches || names.Load() < 10 {
		t.Errorf("%d events, %d names", len(shown), names.Load())
	}
}
