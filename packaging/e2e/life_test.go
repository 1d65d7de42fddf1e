// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestDrainLongerThanTimeoutStopSec checks that the drain completes and the unit does not fail.
func TestDrainLongerThanTimeoutStopSec(t *testing.T) {
	u := start(t, "shutdown: {drain: 8s}\nsinks:\n- name: slow\n  attempt_timeout: 30s\n  exec: {argv: [/bin/sleep, \"60\"], timeout: 25s}\n", "TimeoutStopSec=2s")
	write(t, ping, "x")
	u.eventually("the program runs", func() bool { return metric(`genltestd_sink_events_in_flight{sink="slow"}`) == 1 })
	command(t, "systemctl", "stop", "genltestd")
	if result := u.property("Result"); result != "success" {
		t.Errorf("the unit ended with %s", result)
	}
	if log := u.journal(); !strings.Contains(log, "stopping with undelivered events") {
		t.Errorf("the daemon was ended before its drain was over:\n%s", log)
	}
}

// TestAProgramThatTheKernelKillsForItsMemoryEndsNotTheDaemon sets a memory limit on the unit. The
// program allocates all of it until the file fits exists.
func TestAProgramThatTheKernelKillsForItsMemoryEndsNotTheDaemon(t *testing.T) {
	const fits = "/run/genltestd-fits"
	t.Cleanup(func() { os.Remove(fits) })
	os.Remove(fits)
	u := start(t, "sinks:\n- name: hog\n  retry_max: 200ms\n  attempt_timeout: 60s\n  exec: {timeout: 50s, argv: [/bin/sh, -c, '[ -e "+fits+" ] || exec tail /dev/zero']}\n",
		"MemoryMax=96M\nMemorySwapMax=0")
	pid := u.property("MainPID")
	write(t, ping, "x")
	u.eventually("the kernel kills the program", func() bool { _, body := get("/readyz"); return strings.Contains(body, "signal: killed") })
	write(t, fits, "")
	u.eventually("the delivery", func() bool { return metric(`genltestd_sink_events_delivered_total{sink="hog"}`) == 1 })
	if now, restarts := u.property("MainPID"), u.property("NRestarts"); now != pid || restarts != "0" {
		t.Errorf("main process %s, then %s; %s restarts:\n%s", pid, now, restarts, u.journal())
	}
}
