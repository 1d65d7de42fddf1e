// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A check by hand works without the credentials of the service. A file that does not exist for
// any user is a fault.
func TestCheckReportsUnverifiableCredentials(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	missing := filepath.Join(t.TempDir(), "missing")
	const key = "%s:3:50: sinks[0].webhook.bearer: "
	for where, tt := range map[string]struct {
		code int
		want string
	}{
		"{credential: hook}":      {exitOK, "note: " + key + "credential hook cannot be read outside of the service"},
		"{env: NOT_SET}":          {exitOK, "note: " + key + "environment variable NOT_SET is not set; only the service can check this\n"},
		"{file: " + missing + "}": {exitConfig, key + "open " + missing + ": no such file or directory\n"},
	} {
		path := write(t, "sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: "+where+"}\n")
		code, _, stderr := execute(t, "--check-config", "--config", path)
		if want := strings.Replace(tt.want, "%s", path, 1); code != tt.code || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: status %d, %q; want %d, %q", where, code, stderr, tt.code, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	path := write(t, "sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: {credential: hook}}\n")
	code, _, stderr := execute(t, "--check-config", "--config", path)
	if code != exitConfig || !strings.Contains(stderr, "was not given to the service; its unit lacks LoadCredential=hook:PATH") {
		t.Errorf("in the service: status %d, %q", code, stderr)
	}
}

// Root can read what the service cannot: the check has the rights of the service's user.
func TestCheckUsesTheRightsOfTheServiceUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can take the rights of another user")
	}
	dir, err := os.MkdirTemp("/tmp", "genltestd-as") // t.TempDir has a parent that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "client", time.Hour)
	for name, path := range map[string]string{"token": "", "cert": cert, "key": key} {
		text := []byte("hunter2\n")
		if path != "" {
			if text, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "g.yaml")
	text := strings.ReplaceAll("sinks:\n- name: a\n  webhook: {url: 'https://h/', bearer: {file: DIR/token}}\n"+
		"- name: b\n  syslog: {address: 'tls://h:1', tls: {cert: DIR/cert, key: DIR/key}}\n", "DIR", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(want int, parts ...string) {
		t.Helper()
		args := []string{"--check-config", "--config", config}
		if want != exitOK {
			args = append(args, "--as", "nobody")
		} else {
			args = append(args, "--as", "root")
		}
		code, stdout, stderr := execute(t, args...)
		for _, part := range parts {
			if !strings.Contains(stdout+stderr, part) {
				t.Errorf("no %q in %q %q", part, stdout, stderr)
			}
		}
		if code != want {
			t.Errorf("status %d, want %d: %s", code, want, stderr)
		}
	}
	check(exitOK, "ok, 2 sinks")
	check(exitConfig, "permission denied") // of the directory
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	check(exitConfig, "g.yaml: ", "permission denied", "rights of the user nobody")
	if err := os.Chmod(config, 0o644); err != nil {
		t.Fatal(err)
	}
	check(exitConfig, "sinks[0].webhook.bearer", "sinks[1].syslog.tls.cert", "permission denied", "rights of the user nobody")
}
