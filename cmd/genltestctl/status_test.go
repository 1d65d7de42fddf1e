// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// healthyStatus is the state of a daemon that does all its work.
func healthyStatus() *api.Status {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	return &api.Status{
		Version: "1.0.0", PID: 812, Time: now, Started: *ago(76 * time.Hour), Healthy: true,
		Parts:  []api.Part{{Name: "receiver/genltest", Alive: true}, {Name: "journal", Alive: true}},
		Config: api.Config{Hash: "9f3b02c1", Loaded: *ago(2 * time.Hour)},
		Families: []api.Family{{
			Name: "genltest", ID: 34, Groups: []string{"mcgrp"}, Subscribed: true, BufferBytes: 16 << 20, Received: 123456,
			Lost: map[string]uint64{"kernel_buffer": 0}, Echo: "ok",
		}},
		Journal: api.Journal{
			Path: "/var/lib/genltestd/journal", Accepting: true, Bytes: 1300 << 20, MaxBytes: 4 << 30, First: 120, Last: 123456, Synced: 123456,
			Oldest: ago(3 * time.Hour), Fsync: "interval",
		},
		Sinks: []api.Sink{{Name: "archive", Kind: "file", State: api.SinkIdle, Events: 123456, Delivered: 123456}},
	}
}

// degradedStatus is a daemon with faults in several parts. Some of its texts are hostile.
func degradedStatus() *api.Status {
	st := healthyStatus()
	ago := func(d time.Duration) *time.Time { at := st.Time.Add(-d); return &at }
	st.Healthy = false
	next := st.Time.Add(4 * time.Second)
	absent := []api.Fault{{Reason: "absent", Text: "the family is not registered: " + hostile}}
	st.Parts = append(st.Parts,
		api.Part{Name: "receiver/ethtool", Alive: true, Faults: absent},
		api.Part{Name: "delivery/hook", Alive: true, Faults: []api.Fault{{
			Reason: "refused", Since: ago(195 * time.Second),
			Text: `POST "https://siem.example.org/api/v2/events/ingest": 503 Service Unavailable: the cluster is being upgraded`,
		}}},
		api.Part{Name: "delivery/stuck"},
	)
	st.Notes = []api.Note{
		{Part: "delivery/archive", Text: "the sink is slow: its oldest event has waited for 42s, and no attempt has failed: " + hostile},
		{Part: "clock", Text: "the wall clock was stepped by +2m0s", Since: ago(5 * time.Minute)},
	}
	st.Config.Fault = "/etc/genltestd.yaml:3:7: sinks[0].url: unknown key"
	st.Families[0].Lost = map[string]uint64{"kernel_buffer": 17, "unexplained": 2, "not_subscribed": 0}
	st.Families[0].Echo = "no reply within 2s"
	st.Families = append(st.Families, api.Family{Name: "ethtool", Groups: []string{"monitor"}, BlindSeconds: 3.25})
	st.Journal.Synced -= 5
	st.Sinks = append(st.Sinks,
		api.Sink{
			Name: "hook", Kind: "webhook", State: api.SinkRetrying, Waiting: 1234, BehindS: 192, Failures: 21, DeadLetters: 4,
			LastError: st.Parts[3].Faults[0].Text, LastErrorAt: ago(12 * time.Second), NextAttempt: &next, Delivered: 99,
			Dropped: map[string]uint64{"journal_limit": 5},
		},
		api.Sink{Name: "stuck", Kind: "exec", State: api.SinkFailing, InFlight: 3, Waiting: 8, BehindS: 86400 * 3},
	)
	return st
}

// serveStatus serves a status on a socket, whose path it returns.
func serveStatus(t *testing.T, st *api.Status) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "control.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(st) })
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }() // until Close
	t.Cleanup(func() { server.Close(); os.RemoveAll(dir) })
	return socket
}

// onTerminal runs the command on a terminal of that width, and returns its output.
func onTerminal(t *testing.T, width uint16, env []string, args ...string) (code int, shown string) {
	t.Helper()
	pty, tty := terminal(t, width)
	defer pty.Close()
	cmd := cmdtest.Command(t, args...)
	cmd.Stdout, cmd.Env = tty, append(cmd.Env, env...)
	output := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		io.Copy(&all, pty) // it ends with EIO
		output <- all.String()
	}()
	code, _, stderr := cmdtest.Run(t, cmd)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return code, strings.ReplaceAll(<-output, "\r\n", "\n") + stderr
}

// golden compares an output with a file in testdata, or writes the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestStatusFitsTheTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		status *api.Status
		code   int
	}{"healthy": {healthyStatus(), 0}, "degraded": {degradedStatus(), 3}} {
		socket := serveStatus(t, c.status)
		for _, width := range []uint16{40, 80, 132} {
			code, shown := onTerminal(t, width, []string{"NO_COLOR=1"}, "status", "--socket", socket)
			if code != c.code {
				t.Errorf("%s: exit status %d, want %d", name, code, c.code)
			}
			for line := range strings.Lines(shown) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > int(width) {
					t.Errorf("%s: %d characters: %q", name, n, line)
				}
			}
			golden(t, fmt.Sprintf("status-%s-%d", name, width), shown)
		}
	}
}

// The narrowest output contains each word of the widest one, so nothing is cut.
func TestStatusIsWrappedAndNotCut(t *testing.T) {
	socket := serveStatus(t, degradedStatus())
	_, narrow := onTerminal(t, 80, []string{"NO_COLOR=1"}, "status", "--socket", socket)
	for _, part := range degradedStatus().Parts {
		for _, fault := range part.Faults {
			for _, word := range strings.Fields(visible(strings.ToValidUTF8(fault.Text, "\ufffd"))) {
				if !strings.Contains(narrow, word) {
					t.Errorf("the output lacks %q of %q:\n%s", word, fault.Text, narrow)
				}
			}
		}
	}
}

func TestColorsAreForTerminals(t *testing.T) {
	socket := serveStatus(t, degradedStatus())
	for _, c := range []struct {
		env   []string
		color bool
	}{
		{[]string{"NO_COLOR=", "TERM=xterm"}, true},
		{[]string{"NO_COLOR=1", "TERM=xterm"}, false},
		{[]string{"NO_COLOR=", "TERM=dumb"}, false},
	} {
		_, shown := onTerminal(t, 80, c.env, "status", "--socket", socket)
		if strings.Contains(shown, "\x1b[1;31m× \x1b[0mgenltestd") != c.color || strings.Contains(shown, "\x1b") != c.color {
			t.Errorf("%q: %q", c.env, shown)
		}
	}
	if _, stdout, _ := execute(t, "status", "--socket", socket); strings.Contains(stdout, "\x1b") {
		t.Errorf("in a file: %q", stdout)
	}
}

// The JSON of status is the daemon's own.
func TestStatusAsJSON(t *testing.T) {
	code, stdout, _ := execute(t, "status", "-o", "json", "--socket", serveStatus(t, degradedStatus()))
	var got api.Status
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDegraded || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("exit status %d, %v, %q", code, err, stdout)
	}
	text, err := json.Marshal(degradedStatus())
	if err != nil {
		t.Fatal(err)
	}
	var want api.Status
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 16 << 20: "16 MiB", 1<<20 - 1: "1 MiB", 1<<30 - 1: "1 GiB",
		10<<30 + 1: "10 GiB", 1300 << 20: "1.3 GiB", 1<<63 - 1: "8 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d bytes: got %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 40 * time.Millisecond: "0s", 1250 * time.Millisecond: "1.3s", 12 * time.Second: "12s", 192 * time.Second: "3m12s",
		2 * time.Hour: "2h", 3*time.Hour + 4*time.Minute: "3h4m", 52 * time.Hour: "2d4h",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}
