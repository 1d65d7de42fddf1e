// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestUnitIsReadyAndLeastPrivileged(t *testing.T) {
	u := start(t, fileSink, "")
	if got := u.property("ActiveState") + "/" + u.property("SubState"); got != "active/running" {
		t.Errorf("state %s", got)
	}
	u.eventually("a status line", func() bool {
		return regexp.MustCompile(`^subscribed to genltest/mcgrp \(family \d+\); \d+ events; 1 sinks$`).MatchString(u.property("StatusText"))
	})
	pid := u.property("MainPID")
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	const netAdmin = "0000000000001000"
	for _, want := range []string{"CapEff:\t" + netAdmin, "CapBnd:\t" + netAdmin, "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("/proc/PID/status has no %q", want)
		}
	}
	if strings.Contains(string(status), "Uid:\t0") {
		t.Error("the daemon runs as root")
	}
	if code, body := get("/readyz"); code != 200 {
		t.Errorf("readyz: %d %s", code, body)
	}
}

func TestKilledDaemonIsRestarted(t *testing.T) {
	u := start(t, fileSink, "")
	for i := range 3 {
		command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
		u.eventually("a restart", func() bool {
			return u.property("NRestarts") == strconv.Itoa(i+1) && metric("genltestd_subscribed") == 1
		})
		write(t, ping, fmt.Sprintf("after kill %d", i))
		u.eventually("the event", func() bool { return len(events(t)) == i+1 })
	}
}

func TestWatchdogRestartsAHungDaemon(t *testing.T) {
	u := start(t, fileSink, "WatchdogSec=2s")
	time.Sleep(4 * time.Second)
	if n := u.property("NRestarts"); n != "0" {
		t.Fatalf("%s restarts of a healthy daemon", n)
	}
	command(t, "systemctl", "kill", "-s", "STOP", "genltestd")
	u.eventually("a restart", func() bool { return u.property("NRestarts") == "1" && metric("genltestd_subscribed") == 1 })
}

func TestStopDeliversTheJournal(t *testing.T) {
	u := start(t, fileSink, "")
	for round := range 3 {
		before := metric("genltestd_events_received_total")
		write(t, burst, "2000 x\n")
		received := metric("genltestd_events_received_total") - before
		command(t, "systemctl", "stop", "genltestd")
		if got := float64(len(events(t))); got < received {
			t.Errorf("round %d: %v events in the file, %v were received", round, got, received)
		}
		if got := u.property("Result"); got != "success" {
			t.Errorf("round %d: stopped with result %s", round, got)
		}
		if err := os.Remove(eventFile); err != nil {
			t.Fatal(err)
		}
		command(t, "systemctl", "start", "genltestd")
	}
}

func TestInvalidConfigurationIsReportedWithPositionAndRemedy(t *testing.T) {
	u := configure(t, "sinks:\n- name: a\n  fiel: {path: /x}\n", "")
	if err := exec.Command("systemctl", "start", "genltestd").Run(); err == nil {
		t.Fatal("the unit started")
	}
	// When a unit fails, systemd closes the stored socket.
	u.eventually("another attempt", func() bool { return u.property("NRestarts") != "0" })
	if got := u.property("ActiveState"); got != "activating" {
		t.Errorf("state = %s", got)
	}
	log := command(t, "journalctl", "-u", "genltestd", "--no-pager", "-n", "20", "-o", "cat")
	const fault = configFile + `:3:3: sinks[0].fiel: unknown key; did you mean "file"?`
	if !strings.Contains(log, fault) || !strings.Contains(log, "status=78/CONFIG") {
		t.Errorf("journal:\n%s", log)
	}
	write(t, configFile, fileSink)
	u.eventually("an automatic start", func() bool { return metric("genltestd_subscribed") == 1 })
}

// TestDrainLongerThanTimeoutStopSec checks that the drain completes and the unit does not fail.
func TestDrainLongerThanTimeoutStopSec(t *testing.T) {
	const slow = "- name: slow\n  attempt_timeout: 30s\n  exec: {argv: [/bin/sleep, \"60\"], timeout: 25s}\n"
	u := start(t, "shutdown: {drain: 8s}\nsinks:\n"+slow, "TimeoutStopSec=2s")
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

// TestOutOfMemoryKillOfAProgramDoesNotEndTheDaemon sets a memory limit on the unit. The
// program allocates all of it until the file fits exists.
func TestOutOfMemoryKillOfAProgramDoesNotEndTheDaemon(t *testing.T) {
	const fits = "/run/genltestd-fits"
	t.Cleanup(func() { os.Remove(fits) })
	os.Remove(fits)
	const hog = "- name: hog\n  retry_max: 200ms\n  attempt_timeout: 60s\n" +
		"  exec: {timeout: 50s, argv: [/bin/sh, -c, '[ -e " + fits + " ] || exec tail /dev/zero']}\n"
	u := start(t, "sinks:\n"+hog, "MemoryMax=96M\nMemorySwapMax=0")
	pid := u.property("MainPID")
	write(t, ping, "x")
	u.eventually("the kernel kills the program", func() bool { _, body := get("/readyz"); return strings.Contains(body, "signal: killed") })
	write(t, fits, "")
	u.eventually("the delivery", func() bool { return metric(`genltestd_sink_events_delivered_total{sink="hog"}`) == 1 })
	if now, restarts := u.property("MainPID"), u.property("NRestarts"); now != pid || restarts != "0" {
		t.Errorf("main process %s, then %s; %s restarts:\n%s", pid, now, restarts, u.journal())
	}
}
