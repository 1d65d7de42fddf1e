// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

func TestModuleReloadedWhileTheUnitRuns(t *testing.T) {
	u := start(t, fileSink, "")
	for i := range 5 {
		command(t, "rmmod", "genltest")
		u.eventually("not ready", func() bool { code, _ := get("/readyz"); return code == 503 })
		command(t, "modprobe", "genltest")
		u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
		write(t, ping, fmt.Sprintf("load %d", i))
		u.eventually("the event", func() bool { return len(events(t)) == i+1 })
	}
}

func TestModuleAbsentAtStart(t *testing.T) {
	command(t, "rmmod", "genltest")
	u := start(t, fileSink, "")
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "not registered") {
		t.Errorf("readyz: %d %s", code, body)
	}
	u.eventually("a status line", func() bool { return strings.HasPrefix(u.property("StatusText"), "waiting for the family genltest") })
	if log := u.journal("-p", "warning"); !strings.Contains(log, "not registered") {
		t.Errorf("the log does not report that the family is absent:\n%s", log)
	}
	command(t, "modprobe", "genltest")
	u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	write(t, ping, "hello")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
}

func TestTutorialProgramWorksWithTheModule(t *testing.T) {
	client := exec.CommandContext(t.Context(), "/usr/local/lib/genltest-tests/genltest_client", "--count", "2")
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buf := make([]byte, 1024)
	for sent := false; ; {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if !sent && strings.Contains(text.String(), "Hello from Kernel") {
			sent = true
			write(t, ping, "one\n")
			write(t, ping, "two\n")
		}
		if err != nil {
			break
		}
	}
	if err := client.Wait(); err != nil {
		t.Errorf("the client: %v", err)
	}
	for _, part := range []string{"Hello from Kernel Space, Netlink!", "message received: one", "message received: two"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the client did not print %q:\n%s", part, text.String())
		}
	}
}
