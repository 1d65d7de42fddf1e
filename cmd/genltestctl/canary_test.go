// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

func TestCanaryCommand(t *testing.T) {
	none := api.Canary{Received: true, Sinks: []api.CanarySink{}}
	for name, c := range map[string]struct {
		file     string // whose writes the module multicasts; a regular file if empty
		canary   *api.Canary
		refusal  error
		args     []string
		code     int
		text     string // within the output
		requests int
	}{
		"reached":      {text: "SINK", requests: 1},
		"in time":      {args: []string{"-o", "json"}, text: `{"sink":"hook","reached":true,"latency_seconds":0.00123}`, requests: 1},
		"not reached":  {args: []string{"--wait", "0s"}, code: 3, text: "has not received the event", requests: 1},
		"JSON":         {args: []string{"--wait", "0s", "-o", "json"}, code: 3, text: `"received":false,"sinks":[{"sink":"hook",`, requests: 1},
		"no sink":      {canary: &none, text: "no sink is configured", requests: 1},
		"another one":  {canary: &api.Canary{Requested: canaryTime.Add(time.Second)}, code: 1, text: "another canary was requested", requests: 1},
		"no module":    {file: "/nonexistent/ping", code: 66, text: "modprobe genltest"},
		"not written":  {file: "/dev/full", code: 1, text: "no space left", requests: 1},
		"refused":      {refusal: &api.Error{Status: http.StatusConflict, Message: "absent"}, code: 1, text: "absent", requests: 1},
		"no operator":  {refusal: &api.Error{Status: http.StatusForbidden, Message: "denied"}, code: 77, text: "denied", requests: 1},
		"an argument":  {args: []string{"x"}, code: 64, text: "unknown command"},
		"not a number": {args: []string{"--wait", "long"}, code: 64, text: "invalid argument"},
	} {
		daemon := newFakeDaemon()
		daemon.refusal = c.refusal
		if c.canary != nil {
			daemon.canary = *c.canary
		}
		file := c.file
		if file == "" {
			file = filepath.Join(t.TempDir(), "ping")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, errs := tempFile(t), tempFile(t)
		s := &session{out: out, err: errs, output: outputText, pingFile: file}
		code := s.run(slices.Concat([]string{"--socket", serve(t, daemon), "canary"}, c.args))
		if text := content(t, out) + content(t, errs); code != c.code || !strings.Contains(text, c.text) || len(daemon.requests) != c.requests {
			t.Errorf("%s: status %d, requests %q: %s", name, code, daemon.requests, text)
		}
		if c.file != "" || c.requests == 0 || c.refusal != nil {
			continue
		}
		if text, err := os.ReadFile(file); string(text) != "genltestd canary 5f0c\n" {
			t.Errorf("%s: triggered %q, %v", name, text, err)
		}
	}
}

func TestCanaryWithoutDaemon(t *testing.T) {
	errs := tempFile(t)
	s := &session{out: tempFile(t), err: errs, output: outputText, pingFile: os.DevNull}
	if code := s.run([]string{"--socket", "/nonexistent/socket", "canary"}); code != exitUnavailable {
		t.Errorf("status %d: %s", code, content(t, errs))
	}
}
