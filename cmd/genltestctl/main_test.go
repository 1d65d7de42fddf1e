// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/event"
)

func TestMain(m *testing.M) { cmdtest.Main(m, main) }

const hostile = "\x1b[2J\u202egnp.exe\n\x9b31m"

func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return cmdtest.Run(t, cmdtest.Command(t, args...))
}

// TestOutputIsSafeToShow checks the output for scripts and for people, with hostile texts of events.
func TestOutputIsSafeToShow(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"dlq", "list"}, "" +
			"SINK     LETTERS  TO REPLAY  BYTES  EXPIRED  DAMAGED\n" +
			"hook           4          1   4096        2        3\n" +
			"archive        0          0      0        0        0\n"},
		{[]string{"dlq", "list", "hook"}, "" +
			"ID                  REFUSED               ATTEMPTS  KIND             REASON                      TEXT\n" +
			`6a9155caa46c7dcc-1  2026-01-02T03:04:06Z         1  http_status 400  400 Bad Request: no         ` +
			`hello \x1b[2J\u202egnp.exe\n` + "\ufffd" + "31m\n" +
			`6a9155caa46c7dcc-2  2026-01-02T03:04:06Z         2  -                \x1b[2J\u202egnp.exe\n` + "\ufffd" +
			`31m  \x81\x1b` + "\n" +
			"6a9155caa46c7dcc-3  2026-01-02T03:04:06Z         3  http_status 400  400 Bad Request: no         (gap)\n" +
			"6a9155caa46c7dcc-4  2026-01-02T03:04:06Z         4  http_status 400  400 Bad Request: no         (no event)\n"},
		{[]string{"dlq", "list", "hook", "-n", "1", "--output", "json"}, "" +
			`{"id":"6a9155caa46c7dcc-1","received":"2026-01-02T03:04:05.000000006Z","refused":"2026-01-02T03:04:06.000000006Z",` +
			`"attempts":1,"reason":"400 Bad Request: no","kind":"http_status","status":400,` +
			`"event":{"id":"6a9155caa46c7dcc-1","kind":"event","message":"hello \u001b[2J\u202egnp.exe\n\ufffd31m"}}` + "\n"},
		{[]string{"dlq", "list", "archive"}, ""},
		{[]string{"dlq", "list", "-o", "json"}, "" +
			`{"sink":"hook","letters":4,"to_replay":1,"bytes":4096,"expired":2,"damaged":3}` + "\n" +
			`{"sink":"archive","letters":0,"to_replay":0,"bytes":0,"expired":0,"damaged":0}` + "\n"},
		{[]string{"dlq", "show", "hook", "6a9155caa46c7dcc-2"}, "" +
			"id        6a9155caa46c7dcc-2\nsink      hook\nreceived  2026-01-02T03:04:05.000000006Z\n" +
			"refused   2026-01-02T03:04:06.000000006Z\n" +
			`attempts  2` + "\nkind      -\n" + `reason    \x1b[2J\u202egnp.exe\n` + "\ufffd" + "31m\n" + `text      \x81\x1b` + "\n" +
			`event     {"kind":"event","message":"\ufffd","message_base64":"gRs="}` + "\n"},
		{[]string{"dlq", "replay", "hook", "--all"}, "4 dead letters to replay\n"},
		{[]string{"dlq", "replay", "hook", "a-1", "a-2"}, "2 dead letters to replay\n"},
		{[]string{"dlq", "drop", "--yes", "hook", "a-1", "-o", "json"}, `{"letters":1}` + "\n"},
	}
	for _, test := range tests {
		code, stdout, stderr := execute(t, append(test.args, "--socket", socket)...)
		if diff := cmp.Diff(test.want, stdout); code != 0 || stderr != "" || diff != "" {
			t.Errorf("%q: status %d, %q, output (-want +got):\n%s", test.args, code, stderr, diff)
		}
	}
}

func TestRequestsReachTheDaemon(t *testing.T) {
	s := newFakeDaemon()
	socket := serve(t, s)
	for _, args := range [][]string{
		{"replay", "hook", "a-1", "a-2"},
		{"replay", "hook", "--all"},
		{"drop", "archive", "b-7", "--yes"},
		{"drop", "hook", "--all", "--yes"},
		{"drop", "hook", "--all"}, // refused: standard input is not a terminal
	} {
		execute(t, append([]string{"dlq", "--socket", socket}, args...)...)
	}
	want := []string{"replay hook false [a-1 a-2]", "replay hook true []", "drop archive false [b-7]", "drop hook true []"}
	if diff := cmp.Diff(want, s.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// The timeout bounds the time without an answer, not the duration of a reload.
func TestReloadMayExceedTheTimeout(t *testing.T) {
	s := newFakeDaemon()
	s.slow = 2500 * time.Millisecond
	code, stdout, stderr := execute(t, "reload", "--socket", serve(t, s), "--timeout", "2s")
	if code != 0 || !strings.HasPrefix(stdout, "reloaded: ") {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestCompletionListsSinks(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	code, stdout, _ := execute(t, "__complete", "--socket", socket, "dlq", "show", "")
	if code != 0 || !strings.HasPrefix(stdout, "hook\narchive\n") {
		t.Errorf("status %d, %q", code, stdout)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, stdout, _ := execute(t, "completion", shell); code != 0 || !strings.Contains(stdout, "genltestctl") {
			t.Errorf("%s: status %d, %.100q", shell, code, stdout)
		}
	}
}

func TestOutputFailure(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"list"}, {"list", "hook"}, {"show", "hook", "6a9155caa46c7dcc-1"}, {"replay", "hook", "--all"}} {
		cmd := cmdtest.Command(t, append([]string{"--socket", socket, "dlq"}, args...)...)
		cmd.Stdout = full
		if code, _, stderr := cmdtest.Run(t, cmd); code != 1 || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%s: status %d, %q", args, code, stderr)
		}
	}
}

// Terminals also show JSON.
func TestJSONIsSafeToShow(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	for _, args := range [][]string{{"dlq", "list", "hook"}, {"dlq", "show", "hook", "6a9155caa46c7dcc-2"}, {"reload"}} {
		code, stdout, _ := execute(t, append([]string{"--socket", socket, "-o", "json"}, args...)...)
		if text := strings.TrimSuffix(stdout, "\n"); code != 0 || text == "" || !event.IsVisible(strings.ReplaceAll(text, "\n", "")) {
			t.Errorf("%v: exit status %d, %q", args, code, stdout)
		}
	}
}

func TestTextOfAnEvent(t *testing.T) {
	for event, want := range map[string]string{
		`{"kind":"event","message":"a\u001b"}`:                                               `a\x1b`,
		`{"kind":"event","command":"flap\u001b-ntf","attributes":{"dev-name":"\u202eeth0"}}`: `flap\x1b-ntf {"dev-name":"\u202eeth0"}`,
		`{"kind":"event","command":"","attributes":{},"error":"too short","raw":"00"}`:       `{}`,
		`{"kind":"gap"}`: "(gap)",
		`{"error":"x"}`:  "(no event)",
		`x`:              "(no event)",
	} {
		if got := textOf(json.RawMessage(event)); got != want {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
}
