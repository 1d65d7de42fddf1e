// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeadLettersAreFiltered(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // ids
	}{
		{"--reason http_status", "1 3 4"},
		{"--reason http_status -n 2", "1 3"},
		{"--reason http_status --since 2026-01-02T03:04:06Z", "1 3 4"},
		{"--reason http_status --since 2026-01-02T03:04:07Z", ""},
		{"--since 1ns", ""},
		{"--reason -", "2"}, // of an older version
		{"--reason exit_status", ""},
	} {
		socket := serve(t, newFakeDaemon())
		args := append([]string{"dlq", "list", "hook", "--socket", socket, "-o", "json"}, strings.Fields(c.args)...)
		code, stdout, stderr := execute(t, args...)
		var ids []string
		for line := range strings.Lines(stdout) {
			ids = append(ids, line[len(`{"id":"6a9155caa46c7dcc-`):][:1])
		}
		if got := strings.Join(ids, " "); code != 0 || got != c.want {
			t.Errorf("%s: exit status %d, %q, %q; want %q", c.args, code, got, stderr, c.want)
		}
	}
}

func TestFiltersSelectDeadLettersToChange(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want []string // requests
		text string
	}{
		{
			[]string{"drop", "hook", "--yes", "--reason", "http_status 400"},
			0,
			[]string{"drop hook false [6a9155caa46c7dcc-1 6a9155caa46c7dcc-3 6a9155caa46c7dcc-4]"},
			"3 dead letters dropped\n",
		},
		{[]string{"replay", "hook", "--since", "1ns"}, 0, nil, "0 dead letters to replay\n"},
		{[]string{"replay", "hook", "--all", "--reason", "other"}, exitUsage, nil, "specify either"},
		{[]string{"replay", "hook", "a-1", "--since", "1h"}, exitUsage, nil, "specify either"},
		{[]string{"list", "--reason", "other"}, exitUsage, nil, "--reason and --since require a sink"},
		{[]string{"list", "hook", "--since", "yesterday"}, exitUsage, nil, "neither a time nor a duration"},
	} {
		daemon := newFakeDaemon()
		code, stdout, stderr := execute(t, append([]string{"dlq", "--socket", serve(t, daemon)}, c.args...)...)
		if diff := cmp.Diff(c.want, daemon.requests); code != c.code || diff != "" || !strings.Contains(stdout+stderr, c.text) {
			t.Errorf("%q: exit status %d, %q, %q, requests (-want +got):\n%s", c.args, code, stdout, stderr, diff)
		}
	}
}

func TestReplayWaitsForTheOutcome(t *testing.T) {
	const first, second = "6a9155caa46c7dcc-1", "6a9155caa46c7dcc-2"
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
	}{
		{[]string{"--all"}, exitFailed, "accepted: 1; refused again: 3\n"},
		{[]string{first, second}, exitFailed, "accepted: 1; refused again: 1\n"},
		{[]string{first}, 0, "accepted: 1; refused again: 0\n"},
		{[]string{first, "-o", "json"}, 0, `{"letters":1,"accepted":1,"refused":0}` + "\n"},
		{[]string{"--since", "1ns"}, 0, "accepted: 0; refused again: 0\n"},
	} {
		daemon := newFakeDaemon()
		args := append([]string{"dlq", "replay", "hook", "--wait", "--socket", serve(t, daemon)}, c.args...)
		code, stdout, stderr := execute(t, args...)
		if code != c.code || stdout != c.stdout || strings.Contains(stderr, "not all dead letters were accepted") != (code != 0) {
			t.Errorf("%q: exit status %d, %q, %q", c.args, code, stdout, stderr)
		}
		if len(daemon.requests) > 0 && daemon.waiting != 0 {
			t.Errorf("%q: %d letters still wait", c.args, daemon.waiting)
		}
	}
}
