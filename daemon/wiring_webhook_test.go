// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// Check reports the position of each fault. It does not use the network, and does not print
// secrets.
func TestCheckReportsPositionsInWebhooks(t *testing.T) {
	c, err := config.Parse("x.yaml", []byte(`sinks:
  - name: good
    webhook: {url: "https://no.such.invalid/", bearer: {env: NOT_HERE}, proxy: environment}
  - name: bad
    webhook:
      url: htps://hunter2@example.org/
      headers:
        - {name: X-A, value: hunter2}
        - {name: X-B, value: {file: /nonexistent/key}}
      signing_secrets:
        - whsec_hunter2
      tls: {cert: /nonexistent/cert.pem, key: /nonexistent/key.pem}
`), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	err = Check(c, Dirs{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"x.yaml:3:56: sinks[0].webhook.bearer: environment variable NOT_HERE is not set",
		"x.yaml:6:12: sinks[1].webhook.url: does not begin with http:// or https://; write one like http://example.org/path",
		"x.yaml:9:30: sinks[1].webhook.headers[1].value: open /nonexistent/key: no such file",
		"x.yaml:11:11: sinks[1].webhook.signing_secrets[0]: is not base64",
		"x.yaml:12:19: sinks[1].webhook.tls.cert: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 5 {
		t.Errorf("%d faults:\n%v", got, err)
	}
}
