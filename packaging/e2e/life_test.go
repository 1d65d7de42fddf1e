// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestDrainLongerThanTimeoutStopSec: the drain goes on to its end, and the unit does not
// fail.
func TestDrainLongerThanTimeoutStopSec(t *testing.T) {
	u := start(t, "shutdown: {drain: 8s}\nsinks:\n- name: slow\n  exec: {argv: [/bin/sleep, \"60\"], timeout: 25s}\n", "TimeoutStopSec=2s")
	write(t, ping, "x")
	u.eventually("the program runs", func() bool { return metric(`genltestd_sink_events_in_flight{sink="slow"}`) == 1 })
	command(t, "systemctl", "stop", "genltestd")
	if result := u.property("Result"); result != "success" {
		t.Errorf("the unit ended with %s", result)
	}
	if log := u.journal(); !strings.Contains(log, "stopping with events that the sink has not taken") {
		t.Errorf("the daemon was ended before its drain was over:\n%s", log)
	}
}

