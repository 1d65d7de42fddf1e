// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func TestConfigCommands(t *testing.T) {
	faults := &api.Error{
		Status: http.StatusUnprocessableEntity, Message: "the configuration in the files is at fault",
		Faults: []string{"f.yaml:1:2: a: " + "\x1b[2J"},
	}
	const running = "log:\n  level: info\nsinks:\n  - name: a\n"
	for _, test := range []struct {
		name           string
		files          string
		faults         error
		args           []string
		code           int
		stdout, stderr string
	}{
		{"show", "", nil, []string{"show"}, 0, running, ""},
		{
			"show as JSON", "", nil,
			[]string{"show", "-o", "json"},
			0,
			`{"configuration":"log:\n  level: info\nsinks:\n  - name: a\n"}` + "\n", "",
		},
		{"same", running, nil, []string{"diff"}, 0, "", ""},
		{"same as JSON", running, nil, []string{"diff", "-o", "json"}, 0, `{"differs":false,"diff":""}` + "\n", ""},
		{
			"different", "log:\n  level: debug\nsinks:\n  - name: \"\x1b[2J\"\n", nil,
			[]string{"diff"},
			1,
			"--- running\n+++ files\n@@ -1,4 +1,4 @@\n log:\n-  level: info\n+  level: debug\n sinks:\n-  - name: a\n" +
				`+  - name: "\x1b[2J"` + "\n", "",
		},
		{
			"different as JSON", "log:\n  level: info\nsinks:\n  - name: b\n", nil,
			[]string{"diff", "-o", "json"},
			1,
			`{"differs":true,"diff":"--- running\n+++ files\n@@ -1,4 +1,4 @@\n log:\n   level: info\n sinks:\n` +
				`-  - name: a\n+  - name: b\n"}` + "\n", "",
		},
		{
			"faults", "", faults,
			[]string{"diff"},
			78, "",
			`f.yaml:1:2: a: \x1b[2J` + "\ngenltestctl: the configuration in the files is at fault\n",
		},
		{
			"no command", "", nil, nil, 64, "",
			"genltestctl: missing subcommand; use show or diff; see genltestctl config --help\n",
		},
	} {
		daemon := newFakeDaemon()
		daemon.config, daemon.files, daemon.faults = running, test.files, test.faults
		code, stdout, stderr := execute(t, append([]string{"--socket", serve(t, daemon), "config"}, test.args...)...)
		if code != test.code {
			t.Errorf("%s: status %d, want %d", test.name, code, test.code)
		}
		if diff := cmp.Diff([]string{test.stdout, test.stderr}, []string{stdout, stderr}); diff != "" {
			t.Errorf("%s: output (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLogLevel(t *testing.T) {
	daemon := newFakeDaemon()
	socket := serve(t, daemon)
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{nil, 0, "info\n", ""},
		{[]string{"debug"}, 0, "debug until the next reload or restart (configured: info)\n", ""},
		{nil, 0, "debug until the next reload or restart (configured: info)\n", ""},
		{[]string{"-o", "json"}, 0, `{"level":"debug","configured":"info"}` + "\n", ""},
		{[]string{"warn", "-o", "json"}, 0, `{"level":"warn","configured":"info"}` + "\n", ""},
		{[]string{"loud"}, 64, "", "genltestctl: not a level: loud; see genltestctl log-level --help\n"},
		{[]string{"info"}, 0, "info\n", ""},
	} {
		code, stdout, stderr := execute(t, append([]string{"--socket", socket, "log-level"}, test.args...)...)
		if code != test.code {
			t.Errorf("%q: status %d, want %d", test.args, code, test.code)
		}
		if diff := cmp.Diff([]string{test.stdout, test.stderr}, []string{stdout, stderr}); diff != "" {
			t.Errorf("%q: output (-want +got):\n%s", test.args, diff)
		}
	}
}
