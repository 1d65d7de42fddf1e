// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func TestReloadReportsItsOutcome(t *testing.T) {
	faults := &api.Error{
		Status: http.StatusUnprocessableEntity, Message: "the configuration is at fault",
		Faults: []string{"f.yaml:1:2: a: bad", "f.yaml:3:4: " + hostile},
	}
	visible := visible(strings.ToValidUTF8(hostile, "\ufffd")) // JSON is UTF-8
	for _, c := range []struct {
		name           string
		refusal        error
		args           []string
		code           int
		stdout, stderr string
	}{
		{
			"good", nil, nil, 0,
			"reloaded: families removed: ethtool, netdev; sinks added: a, b; sinks removed: c; sinks unchanged: 4\n",
			"warning: f.yaml:1:2: " + visible + "\n",
		},
		{
			"as JSON", nil, []string{"-o", "json"}, 0, `{"added":["a","b"],"changed":[],"removed":["c"],"unchanged":4,` +
				`"families":{"added":[],"changed":[],"removed":["ethtool","netdev"]},` +
				`"warnings":["f.yaml:1:2: \u001b[2J\u202egnp.exe\n` + "\ufffd" + `31m"]}` + "\n", "",
		},
		{"at fault", faults, nil, 78, "", "f.yaml:1:2: a: bad\nf.yaml:3:4: " + visible + "\ngenltestctl: the configuration is at fault\n"},
		{"broken", errors.New("the disk is full"), nil, 1, "", "genltestctl: the daemon refused: the disk is full\n"},
		{
			"with a word too many", nil,
			[]string{"now"},
			64, "",
			`genltestctl: unknown command "now" for "genltestctl reload"; see genltestctl reload --help` + "\n",
		},
	} {
		daemon := newFakeDaemon()
		daemon.refusal = c.refusal
		code, stdout, stderr := execute(t, append([]string{"reload", "--socket", serve(t, daemon)}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: status %d, want %d", c.name, code, c.code)
		}
		if diff := cmp.Diff([]string{c.stdout, c.stderr}, []string{stdout, stderr}); diff != "" {
			t.Errorf("%s: output (-want +got):\n%s", c.name, diff)
		}
	}
}
