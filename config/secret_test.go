// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestWarnsOfExposedSecrets(t *testing.T) {
	const text = `sinks:
  - name: a
    webhook:
      url: https://example.org/events
      bearer: hunter2
      signing_secrets: [{file: /a}, hunter3]
  - name: b
    webhook: {url: "https://user:hunter4@example.org"}
  - name: c
    webhook: {url: "https://chat.example.org/services/T000/B000/0123456789abcdef0123456789"}
  - name: d
    webhook: {url: {credential: d}, proxy: "http://proxy.example.org:3128"}
`
	path := filepath.Join(t.TempDir(), "genltestd.yaml")
	places := func(mode os.FileMode) (got []string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		if warnings := c.Warnings(); warnings.Error() != "" {
			if strings.Contains(warnings.Error(), "hunter") {
				t.Errorf("a warning contains the secret: %v", warnings)
			}
			for _, w := range warnings {
				got = append(got, fmt.Sprintf("%d:%d %s", w.Line, w.Column, w.Path))
			}
		}
		return got
	}
	want := []string{
		"5:15 sinks[0].webhook.bearer", "6:37 sinks[0].webhook.signing_secrets[1]",
		"8:20 sinks[1].webhook.url", "10:20 sinks[2].webhook.url",
	}
	if diff := cmp.Diff(want, places(0o644)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if got := places(0o640); got != nil {
		t.Errorf("warns of a file that only its group may read: %v", got)
	}
	if got := Default(sinks.Kinds()).Warnings(); got != nil {
		t.Errorf("warns of no file: %v", got)
	}
}
