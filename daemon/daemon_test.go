// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/receiver"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// fakeKernel passes the events of a test to the daemon. The family is not registered in the
// zero value.
type fakeKernel struct {
	fakekernel.Kernel[receiver.Socket]
}

// newKernel returns a kernel with the family.
func newKernel() *fakeKernel {
	k := &fakeKernel{}
	k.IDs = fakekernel.GenltestIDs(kernelmsg.Family, 9)
	return k
}

func (k *fakeKernel) event(text string) {
	k.Socket().Send(genl.Message{Data: kernelmsg.Event(text)})
}

type prober struct{ err error }

func (p prober) Probe(context.Context) (string, error) { return "Hello", p.err }
func (p prober) Close() error                          { return nil }

type fixture struct {
	*Daemon
	kernel *fakeKernel
	stdout *syncbuffer.Buffer
	stop   func() error
}

func start(t *testing.T, yaml string, k *fakeKernel, p prober) fixture {
	t.Helper()
	cfg := parse(t, yaml)
	f := launch(t, cfg, Options{Kernel: k, Echo: p})
	f.kernel = k
	return f
}

// launch runs a daemon until the test ends or calls stop.
func launch(t *testing.T, cfg *config.Config, opts Options) fixture {
	t.Helper()
	f := create(t, cfg, opts)
	f.run(t)
	return f
}

// create creates a daemon that does not run yet.
func create(t *testing.T, cfg *config.Config, opts Options) fixture {
	t.Helper()
	f := fixture{stdout: &syncbuffer.Buffer{}}
	opts.Version, opts.Stdout = "test", f.stdout
	if opts.Dirs == (Dirs{}) {
		opts.Dirs = Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if f.Daemon, err = New(cfg, opts); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
}

func (f fixture) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + f.web.Bound().Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// ready waits until /readyz is ok, after the first health check.
func (f fixture) ready(t *testing.T) {
	t.Helper()
	poll.Until(t, "readiness", func() bool { code, _ := f.get(t, "/readyz"); return code == http.StatusOK })
}

const listenAnywhere = "http: {listen: \"127.0.0.1:0\"}\n"

func TestEventsReachEverySinkWithTheSameID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := start(t, listenAnywhere+"sinks:\n- {name: out, stdout: {}}\n- name: archive\n  file: {path: "+path+"}\n", newKernel(), prober{})
	for _, text := range []string{"one", "two\xff", "\x1b[2J"} {
		f.kernel.event(text)
	}
	f.ready(t)
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != f.stdout.String() {
		t.Errorf("the sinks differ:\n%s\n%s", text, f.stdout)
	}
	var messages []string
	for line := range strings.Lines(string(text)) {
		var e struct{ ID, Message, Host, Family, Group string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if e.Family != "genltest" || e.Group != "mcgrp" || e.Host == "" || !strings.HasPrefix(e.ID, f.journal.ID()+"-") {
			t.Errorf("event %+v", e)
		}
		messages = append(messages, e.Message)
	}
	if got := strings.Join(messages, "|"); got != "one|two\ufffd|\x1b[2J" {
		t.Errorf("messages %q", got)
	}
}

func TestSyncedMetricReachesTheLastEvent(t *testing.T) {
	f := start(t, listenAnywhere, newKernel(), prober{})
	for range 3 {
		f.kernel.event("x")
	}
	for _, line := range []string{"\ngenltestd_journal_last_number 3\n", "\ngenltestd_journal_synced_number 3\n"} {
		poll.Until(t, line, func() bool { _, body := f.get(t, "/metrics"); return strings.Contains(body, line) })
	}
}

func TestFailingSinkIsCountedAndCatchesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "events.jsonl")
	f := start(t, listenAnywhere+"sinks:\n- name: archive\n  retry_max: 100ms\n  file: {path: "+path+"}\n", newKernel(), prober{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	f.kernel.event("kept")
	poll.Until(t, "the sink fails", func() bool { return f.pipelines.All()[0].State().Failures > 0 })
	code, body := f.get(t, "/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "sink archive: attempt: 1 events wait") {
		t.Errorf("readyz: %d %q", code, body)
	}
	if code, _ := f.get(t, "/healthz"); code != http.StatusOK {
		t.Error("a failing sink makes the process unhealthy, but a restart would not help")
	}
	if line := f.statusLine(); !strings.HasPrefix(line, "DEGRADED: ") {
		t.Errorf("status %q", line)
	}
	if _, body := f.get(t, "/metrics"); !strings.Contains(body, `genltestd_sink_healthy{sink="archive"} 0`) {
		t.Error("the metrics do not show the failing sink")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the sink catches up", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "kept") {
		t.Errorf("file %q, %v", text, err)
	}
}

func TestSinkThatCannotBeOpenedDoesNotStopTheOthers(t *testing.T) {
	good := filepath.Join(t.TempDir(), "events.jsonl")
	entries := "sinks:\n- name: good\n  file: {path: " + good + "}\n- name: bad\n  file: {path: /nonexistent/events}\n"
	f := start(t, listenAnywhere+"shutdown: {drain: 10ms}\n"+entries, newKernel(), prober{})
	f.kernel.event("x")
	poll.Until(t, "the good sink gets the event", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	poll.Until(t, "the bad sink reports its fault", func() bool {
		code, body := f.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "open /nonexistent/events: no such file or directory")
	})
}

func TestReopenFilesClosesRenamedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := start(t, listenAnywhere+"sinks:\n- name: archive\n  file: {path: "+path+"}\n", newKernel(), prober{})
	f.kernel.event("one")
	poll.Until(t, "the first event", func() bool { return f.pipelines.All()[0].State().Delivered == 1 })
	if !isOpen(t, path) {
		t.Fatal("the file is not open")
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	f.ReopenFiles()
	if isOpen(t, path+".1") {
		t.Error("the moved file is still open")
	}
	f.kernel.event("two")
	poll.Until(t, "the second event", func() bool { return f.pipelines.All()[0].State().Delivered == 2 })
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "two") || strings.Contains(string(text), "one") {
		t.Errorf("the new file has %q, %v", text, err)
	}
}

func isOpen(t *testing.T, path string) bool {
	t.Helper()
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(fd string) bool {
		target, err := os.Readlink(fd)
		return err == nil && target == path
	})
}

func TestNextProcessContinuesAtTheCursor(t *testing.T) {
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	path := filepath.Join(t.TempDir(), "d", "events.jsonl")
	mkdir := func() {
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cfg := parse(t, listenAnywhere+"shutdown: {drain: 10ms}\nsinks:\n- name: archive\n  file: {path: "+path+"}\n")
	run := func() fixture {
		k := newKernel()
		f := launch(t, cfg, Options{Dirs: dirs, Kernel: k, Echo: prober{}})
		f.kernel = k
		return f
	}
	mkdir()
	first := run()
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		first.kernel.event("x")
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	mkdir()
	second := run()
	second.kernel.event("y")
	poll.Until(t, "every event", func() bool { return second.pipelines.All()[0].State().Delivered == 101 })
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"id":"%s-%d"`, second.journal.ID(), i+1)) {
			t.Fatalf("line %d: %s", i, line)
		}
	}
	if n := strings.Count(string(text), "\n"); n != 101 || first.journal.ID() != second.journal.ID() {
		t.Errorf("%d events; journals %s and %s", n, first.journal.ID(), second.journal.ID())
	}
}

func TestReadinessReportsTheMissingFamilyAndEcho(t *testing.T) {
	f := start(t, listenAnywhere, &fakeKernel{}, prober{err: genl.ErrFamilyAbsent})
	if code, body := f.get(t, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "genltest is not registered") {
		t.Errorf("without the family: %d %q", code, body)
	}
	f = start(t, listenAnywhere, newKernel(), prober{err: errors.New("echo: no answer")})
	poll.Until(t, "echo fails", func() bool {
		code, body := f.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "echo: no answer")
	})
	if line := f.statusLine(); !strings.HasPrefix(line, "DEGRADED: ") || !strings.Contains(line, "echo: no answer") {
		t.Errorf("status %q", line)
	}
}

func TestStopDeliversReceivedEvents(t *testing.T) {
	f := start(t, listenAnywhere, newKernel(), prober{})
	for range 1000 {
		f.kernel.event("x")
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(f.stdout.String(), "\n"); n != 1000 {
		t.Errorf("%d of 1000 events delivered before the end", n)
	}
}

func TestStopDoesNotWaitForAHangingSink(t *testing.T) {
	f := start(t, listenAnywhere+"shutdown: {drain: 50ms}\n", newKernel(), prober{})
	defer f.stdout.Hold()()
	f.kernel.event("x")
	if err := f.stop(); err != nil { // which catches a hang
		t.Fatal(err)
	}
}

// TestNewReportsPermanentErrorsAndClosesEverything: with a wrong configuration, or a journal
// that another process has open, the daemon does not start.
func TestNewReportsPermanentErrorsAndClosesEverything(t *testing.T) {
	good := "- name: good\n  file: {path: " + filepath.Join(t.TempDir(), "events.jsonl") + "}\n"
	locked := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(locked, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	before := descriptors(t)
	dirs := Dirs{State: t.TempDir(), Runtime: t.TempDir()}
	for yaml, part := range map[string]string{
		"sinks:\n" + good + "- {name: bad, filter: '1 +', file: {path: /x}}\n": "sinks[1].filter",
		"journal: {path: " + locked + "}\nsinks:\n" + good:                     "another process has the journal open",
	} {
		cfg := parse(t, listenAnywhere+yaml)
		log := slog.New(slog.DiscardHandler)
		_, err := New(cfg, Options{Dirs: dirs, Stdout: io.Discard, Log: log, Kernel: newKernel(), Echo: prober{}})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one with %q", err, part)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
