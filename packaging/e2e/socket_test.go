// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// TestUnitServesTheSocketOfSystemd starts the daemon by a request, and restarts it between requests.
// No request is refused.
func TestUnitServesTheSocketOfSystemd(t *testing.T) {
	u := configure(t, "http: {listen: systemd}\n"+fileSink, "")
	command(t, "systemctl", "start", "genltestd.socket")
	t.Cleanup(func() { _ = exec.Command("systemctl", "stop", "genltestd.socket", "genltestd").Run() }) // a request would start it
	if code, body := get("/healthz"); code != 200 {
		t.Fatalf("the request that starts the daemon: %d %s", code, body)
	}
	for _, action := range []string{"restart", "kill"} {
		before := u.property("MainPID")
		command(t, "systemctl", action, "genltestd")
		u.eventually("another process", func() bool {
			if code, body := get("/healthz"); strings.Contains(body, "refused") {
				t.Fatalf("a request after systemctl %s: %d %s", action, code, body)
			}
			pid := u.property("MainPID")
			return pid != before && pid != "0"
		})
	}
	u.eventually("an answer", func() bool { code, _ := get("/readyz"); return code == 200 })
	write(t, ping, "received")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
}
