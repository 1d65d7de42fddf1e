// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSinkCommands(t *testing.T) {
	for _, c := range []struct {
		args    []string
		code    int
		text    string // of standard output, or within standard error
		request []string
	}{
		{
			[]string{"pause", "hook"},
			0, "hook is paused since 2026-01-02T03:04:05Z; continue with: genltestctl sink resume hook\n",
			[]string{"pause hook"},
		},
		{[]string{"resume", "hook"}, 0, "hook is resumed; it was paused since 2026-01-02T03:04:05Z\n", []string{"resume hook"}},
		{[]string{"resume", "archive"}, 0, "archive was not paused\n", []string{"resume archive"}},
		{[]string{"retry", "hook"}, 0, "hook tries again now\n", []string{"retry hook"}},
		{[]string{"retry", "none"}, 66, `unknown sink "none"`, []string{"retry none"}},
		{[]string{"skip", "hook", "--yes"}, 0, "6 events of hook skipped\n", []string{`skip hook {"all":true}`}},
		{
			[]string{"skip", "slow", "--yes", "--to", "j-7"},
			0,
			"6 events of slow skipped; the daemon skips the others when the running attempt has ended\n",
			[]string{`skip slow {"to":"j-7"}`},
		},
		{
			[]string{"skip", "hook", "--yes", "--until", "2026-01-02T03:04:05Z"},
			0, "6 events of hook skipped\n",
			[]string{`skip hook {"until":"2026-01-02T03:04:05Z"}`},
		},
		{[]string{"skip", "hook"}, 64, "confirm with --yes", []string{`skip hook {"all":true,"dry_run":true}`}},
		{[]string{"skip", "none"}, 66, `unknown sink "none"`, []string{`skip none {"all":true,"dry_run":true}`}},
		{[]string{"skip", "hook", "--yes", "--to", "j-7", "--until", "1h"}, 64, "specify either --to or --until", nil},
		{[]string{"skip", "hook", "--yes", "--until", "soon"}, 64, "neither a time nor a duration", nil},
		{[]string{"skip", "--yes"}, 64, "accepts 1 arg", nil},
		{[]string{}, 64, "missing subcommand; use pause, resume, retry, skip or test", nil},
		{
			[]string{"skip", "hook", "--yes", "-o", "json"},
			0, `{"sink":"hook","before":7,"skipped":6,"done":true}` + "\n",
			[]string{`skip hook {"all":true}`},
		},
		{[]string{"pause", "hook", "-o", "json"}, 0, `{"sink":"hook","paused_since":"2026-01-02T03:04:05Z"}` + "\n", []string{"pause hook"}},
		{[]string{"retry", "hook", "-o", "json"}, 0, `{"sink":"hook"}` + "\n", []string{"retry hook"}},
		{
			[]string{"test", "hook"},
			0, "hook has accepted the test event 6a9155caa46c7dcc-0-test-1e1b58c6a77ddc69 in 12.500 ms\n",
			[]string{"test hook"},
		},
		{
			[]string{"test", "hook", "-o", "json"},
			0, `{"sink":"hook","id":"6a9155caa46c7dcc-0-test-1e1b58c6a77ddc69","outcome":"accepted","seconds":0.0125}` + "\n",
			[]string{"test hook"},
		},
		{[]string{"test", "none"}, 66, `unknown sink "none"`, []string{"test none"}},
		{[]string{"test"}, 64, "accepts 1 arg", nil},
	} {
		daemon := newFakeDaemon()
		code, stdout, stderr := execute(t, append([]string{"sink", "--socket", serve(t, daemon)}, c.args...)...)
		ok := stdout == c.text && stderr == ""
		if c.code != 0 {
			ok = stdout == "" && strings.Contains(stderr, c.text)
		}
		if diff := cmp.Diff(c.request, daemon.requests); code != c.code || !ok || diff != "" {
			t.Errorf("%q: status %d, %q, %q, requests (-want +got):\n%s", c.args, code, stdout, stderr, diff)
		}
	}
}

// A script sees by the exit status, and a person by the text, that the destination does not accept events.
func TestATestThatIsNotAcceptedFails(t *testing.T) {
	shown := visible(strings.ToValidUTF8(hostile, "\ufffd"))
	for sink, want := range map[string]string{
		"pager": "pager has not accepted the test event after 12.500 ms, for a reason that may pass: " +
			"POST https://siem: 503 Service Unavailable\n",
		"archive": "archive has refused the test event permanently after 12.500 ms: POST https://siem: 400 Bad Request: " + shown + "\n",
		"slow":    "slow has not received the test event: an earlier attempt is running since 2026-01-02T03:04:05Z\n",
	} {
		socket := serve(t, newFakeDaemon())
		code, stdout, stderr := execute(t, "sink", "test", "--socket", socket, sink)
		if code != 1 || stdout != want || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", sink, code, stdout, stderr)
		}
		code, stdout, stderr = execute(t, "sink", "test", "--socket", socket, sink, "-o", "json")
		if code != 1 || !strings.Contains(stdout, `"outcome":`) || !strings.Contains(stdout, `"error":"`) || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", sink, code, stdout, stderr)
		}
	}
}
