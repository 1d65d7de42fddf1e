// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
)

func TestTailPrintsEvents(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	code, stdout, stderr := execute(t, "tail", "--no-follow", "--socket", socket)
	want := "" +
		"TIME                      ID                      FAMILY      TEXT\n" +
		`2026-01-02T03:04:05.228Z  6a9155caa46c7dcc-17     genltest    hello \x1b[2J\u202e` + "\n" +
		"2026-01-02T03:04:06.000Z  6a9155caa46c7dcc-18     genltest    (gap: 17 events lost: kernel_buffer)\n" +
		`2026-01-02T03:04:06.000Z  6a9155caa46c7dcc-19     genltest    \x81\x1b` + "\n"
	if diff := cmp.Diff(want, stdout); code != 0 || diff != "" {
		t.Errorf("status %d, output (-want +got):\n%s", code, diff)
	}
	if stderr != "3 events missed: the journal has removed them before they were read\n" {
		t.Errorf("printed %q", stderr)
	}
	code, stdout, stderr = execute(t, "tail", "--no-follow", "-o", "json", "--socket", socket)
	if want := strings.Join([]string{fakeEvent, fakeGap, fakeMissed, fakeEncoded, ""}, "\n"); stdout != want || code != 0 || stderr != "" {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestTailRequests(t *testing.T) {
	s := newFakeDaemon()
	socket := serve(t, s)
	for _, args := range [][]string{
		{},
		{"-n", "0"},
		{"-n", "3", "--sink", "hook"},
		{"--from", "6a9155caa46c7dcc-17"},
		{"--since", "2026-01-02T03:04:05Z", "-n", "7", "--filter", `message != ""`},
	} {
		execute(t, append([]string{"tail", "--no-follow", "--socket", socket}, args...)...)
	}
	want := []string{
		"tail limit=10", "tail limit=0", "tail limit=3&sink=hook", "tail from=6a9155caa46c7dcc-17",
		"tail filter=message+%21%3D+%22%22&limit=7&since=2026-01-02T03%3A04%3A05Z",
	}
	if diff := cmp.Diff(want, s.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestTailErrors(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"tail", "--filter", "wrong"}, 64, "filter: column 1: unknown name wrong; see genltestctl tail --help"},
		{[]string{"tail", "--sink", "nobody"}, 66, `unknown sink "nobody"`},
		{[]string{"tail", "--sink", "a", "--filter", "b"}, 64, "specify either --sink or --filter"},
		{[]string{"tail", "--from", "a", "--since", "1h"}, 64, "specify either --from or --since"},
		{[]string{"tail", "--since", "yesterday"}, 64, "neither a time nor a duration"},
		{[]string{"tail", "-n", "-5"}, 64, "not a number from 0 to 100000"},
		{[]string{"tail", "hook"}, 64, "unknown command"},
		{[]string{"tail", "--filter", "end"}, 69, "the daemon has ended"},
		{[]string{"tail", "--filter", "broken", "--no-follow"}, 1, "the disk is broken"},
		{[]string{"tail", "--socket", socketOfAHangingServer(t, ""), "--timeout", "100ms"}, 69, "within 100ms"},
		{[]string{"explain", "--filter", "wrong", "17"}, 64, "filter: column 1: unknown name wrong; see genltestctl explain --help"},
		{[]string{"explain", "18"}, 66, "unknown event 18"},
		{[]string{"explain"}, 64, "1 arg"},
	} {
		args := test.args
		if !slices.Contains(args, "--socket") {
			args = append(args, "--socket", socket)
		}
		code, _, stderr := execute(t, args...)
		if code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: status %d, %q; want %d, %q", args, code, stderr, test.code, test.want)
		}
	}
}

func TestCtrlCEndsATailWithSuccess(t *testing.T) {
	cmd := cmdtest.Command(t, "tail", "--socket", serve(t, newFakeDaemon()))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for range 4 { // an event is printed at once
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	var failed *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &failed) || len(rest) > 0 {
		t.Errorf("%v, printed %q", err, rest)
	}
}

func TestCompletionOfTail(t *testing.T) {
	code, stdout, _ := execute(t, "__complete", "--socket", serve(t, newFakeDaemon()), "tail", "--sink", "")
	if code != 0 || !strings.HasPrefix(stdout, "hook\narchive\n") {
		t.Errorf("status %d, %q", code, stdout)
	}
}

func TestPastTime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600))
	for text, want := range map[string]time.Time{
		"1h":                   now.Add(-time.Hour),
		"0s":                   now,
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02 15:04":     time.Date(2026, 1, 2, 15, 4, 0, 0, now.Location()),
		"2026-01-01":           time.Date(2026, 1, 1, 0, 0, 0, 0, now.Location()),
	} {
		got := pastTime{}
		if err := got.parse(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1h", "1", "soon", "2026-13-01"} {
		got := pastTime{}
		if err := got.parse(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestEventsFitTheTerminal(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	for width, tail := range map[uint16]string{
		40:  `03:04:05      17  hello \x1b[2J\u202e`,
		80:  `03:04:05      17  hello \x1b[2J\u202e`,
		132: `2026-01-02T03:04:05.228Z  6a9155caa46c7dcc-17     genltest    hello \x1b[2J\u202e`,
	} {
		for _, args := range [][]string{{"tail", "--no-follow"}, {"explain", "17"}, {"explain", "17", "--filter", `message contains "disk"`}} {
			code, shown := onTerminal(t, width, nil, append(args, "--socket", socket)...)
			shown = strings.Replace(shown, "3 events missed: the journal has removed them before they were read\n", "", 1) // on stderr
			lines := strings.Split(strings.TrimSpace(shown), "\n")
			if code != 0 {
				t.Errorf("%q: status %d", args, code)
			}
			if args[0] == "tail" && (len(lines) != 4 || lines[1] != tail) {
				t.Errorf("at %d columns: %q", width, lines)
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n > int(width) || strings.ContainsAny(line, "\x1b\u202e\u009b") {
					t.Errorf("%q at %d columns: %d characters: %q", args, width, n, line)
				}
			}
		}
	}
}

func TestExplainPrintsEachFact(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	const safe = `\x1b[2J\u202egnp.exe\n` + "\ufffd" + "31m"
	head := "id        6a9155caa46c7dcc-17\nsent      2026-01-02T03:04:05.000000006Z\nreceived  2026-01-02T03:04:05.000000006Z\n" +
		"family    genltest mcgrp\nsize      60 bytes\n" +
		"journal   /var/lib/genltestd/journal/00000000000000000001.log, offset 64, not synced yet\n" +
		`text      hello \x1b[2J\u202e` + "\n\n"
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"explain", "17"}, head + "" +
			"sink hook (webhook): dead lettered\n" +
			"  the sink has refused the event\n" +
			`  extract    applied  a="" unit="\x1b[2J\u202egnp.exe\n` + "\ufffd" + `31m"` + "\n" +
			"  rate_limit depends  depends on the events before it\n" +
			"  attempt 2026-01-02T03:04:05Z failed after 3 accepted (9 events, 12 to 20): 503 " + safe + "\n" +
			"  attempt 2026-01-02T03:04:05Z failed (6 events, 15 to 20): 503\n" +
			"  replay 2026-01-02T03:04:05Z accepted (1 event)\n" +
			"  dropped 2026-01-02T03:04:05Z by max_age (1 event)\n" +
			"  refused 2026-01-02T03:04:05Z after 1 attempt: " + safe + "\n" +
			"\nsink archive (file): filtered\n" +
			"  the filter rejects the event\n" +
			"  unless " + safe + "\n" +
			`  filter     rejects  message contains "disk"` + "\n" +
			`    message  =>  "hello \u001b[2J"` + "\n"},
		{[]string{"explain", "17", "--filter", "x or y"}, head + "" +
			"x or y  =>  true\n" +
			`  message contains "disk"  =>  false` + "\n" +
			`    message  =>  "hello \u001b[2J"` + "\n" +
			`  int(message)  =>  error: ` + safe + " (not used)\n"},
	} {
		code, stdout, stderr := execute(t, append(test.args, "--socket", socket)...)
		if diff := cmp.Diff(test.want, stdout); code != 0 || stderr != "" || diff != "" {
			t.Errorf("%q: status %d, %q, output (-want +got):\n%s", test.args, code, stderr, diff)
		}
	}
}
