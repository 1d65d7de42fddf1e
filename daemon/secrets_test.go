// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestExposedAndUnverifiableSecretsAreReported(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	dir := t.TempDir()
	for _, open := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"open": 0o644, "closed": 0o640, "key": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse("test.yaml", fmt.Appendf(nil, `sinks:
- name: hook
  webhook:
    url: {credential: url}
    bearer: {file: %[1]s/open}
    headers: [{name: X-A, value: {file: %[1]s/closed}}, {name: X-B, value: {env: NOT_SET}}]
    proxy: environment
- name: log
  syslog:
    address: tls://localhost:6514
    tls: {cert: %[1]s/cert, key: %[1]s/key}
`, dir), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	const exposed = "this file is secret, and all users can read it; remove the permission with chmod o-r"
	var faults config.Errors
	errors.As(Check(cfg, Dirs{}), &faults)
	unverifiable := faults.Extract(func(f *config.FieldError) bool { return IsUnverifiable(f, true) })
	got := append(Warnings(cfg), unverifiable...).Error()
	key := len("    tls: {cert: /cert, key: ") + len(dir) + 1
	header := len("    headers: [{name: X-A, value: {file: /closed}}, {name: X-B, value: ") + len(dir) + 1
	want := "test.yaml:5:20: sinks[0].webhook.bearer.file: " + exposed + "\n" +
		fmt.Sprintf("test.yaml:11:%d: sinks[1].syslog.tls.key: %s\n", key, exposed) +
		"test.yaml:4:10: sinks[0].webhook.url: credential url cannot be read outside of the service; " +
		"if this is the service, its unit lacks LoadCredential=url:PATH\n" +
		fmt.Sprintf("test.yaml:6:%d: sinks[0].webhook.headers[1].value: environment variable NOT_SET is not set", header)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
