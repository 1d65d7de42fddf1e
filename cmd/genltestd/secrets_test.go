// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A check by hand is of use although the service's credentials are not there; what is
// missing for everybody is a fault.
func TestCheckSaysWhatOnlyTheServiceCanTell(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	missing := filepath.Join(t.TempDir(), "missing")
	for place, tt := range map[string]struct {
		code int
		want string
	}{
		"{credential: hook}":      {exitOK, "note: %s:3:50: sinks[0].webhook.bearer: credential hook cannot be read outside of the service"},
		"{env: NOT_SET}":          {exitOK, "note: %s:3:50: sinks[0].webhook.bearer: environment variable NOT_SET is not set; only the service can tell\n"},
		"{file: " + missing + "}": {exitConfig, "%s:3:50: sinks[0].webhook.bearer: open " + missing + ": no such file or directory\n"},
	} {
		path := write(t, "sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: "+place+"}\n")
		code, _, stderr := execute(t, "--check-config", "--config", path)
		if want := strings.Replace(tt.want, "%s", path, 1); code != tt.code || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: status %d, %q; want %d, %q", place, code, stderr, tt.code, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	path := write(t, "sinks:\n- name: hook\n  webhook: {url: 'https://example.org/', bearer: {credential: hook}}\n")
	code, _, stderr := execute(t, "--check-config", "--config", path)
	if code != exitConfig || !strings.Contains(stderr, "was not given to the service; its unit lacks LoadCredential=hook:PATH") {
		t.Errorf("in the service: status %d, %q", code, stderr)
	}
}
