// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package e2e tests the installed daemon as a systemd unit with the real module. It must run as
// root in the VM of packaging/vm, because it starts and stops units and overwrites
// /etc/genltestd.yaml.
package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/metrics/scrape"
	"github.com/genltestd/genltestd/packaging/vm/sysfs"
)

const (
	configFile = "/etc/genltestd.yaml"
	journalDir = "/var/lib/genltestd/journal"
	eventFile  = "/var/log/genltestd/events.jsonl"
	dropIns    = "/run/systemd/system/genltestd.service.d"
	runtimeDir = "/run/genltestd"
	ping       = "/sys/genltest/ping"
	burst      = "/sys/genltest/burst"
	address    = "http://127.0.0.1:9941"

	fileSink = "sinks:\n- name: archive\n  retry_max: 200ms\n  file: {path: " + eventFile + "}\n"
)

func TestMain(m *testing.M) {
	// Only the VM has this file. It protects machines in use.
	if host, err := os.Hostname(); err != nil || host != "genltest-vm" {
		fmt.Fprintf(os.Stderr, "these tests rewrite the system's configuration; run them by packaging/vm/vmexec, not on %q (%v)\n", host, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// command runs a program and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// unit is the tested service with a new configuration.
type unit struct{ t *testing.T }

// start configures and starts the unit. dropIn contains further lines of its [Service] section.
func start(t *testing.T, yaml, dropIn string) unit {
	t.Helper()
	u := configure(t, yaml, dropIn)
	command(t, "systemctl", "start", "genltestd")
	return u
}

func configure(t *testing.T, yaml, dropIn string) unit {
	t.Helper()
	original, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	write(t, configFile, yaml)
	useDropIn(t, "[Service]\n"+dropIn+"\n")
	for _, left := range []string{eventFile, journalDir, runtimeDir} {
		if err := os.RemoveAll(left); err != nil {
			t.Fatal(err)
		}
	}
	enable(t, true)
	_ = exec.Command("systemctl", "clean", "--what=fdstore", "genltestd").Run() // removes descriptors that older versions of systemd store
	if _, err := os.Stat(ping); err == nil {                                    // its numbers start again
		command(t, "rmmod", "genltest")
		command(t, "modprobe", "genltest")
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("journalctl", "-u", "genltestd", "--no-pager", "-n", "40", "-o", "short-monotonic").CombinedOutput()
			t.Logf("journal:\n%s", out)
		}
		_ = exec.Command("systemctl", "stop", "genltestd").Run()         // may be stopped
		_ = exec.Command("systemctl", "reset-failed", "genltestd").Run() // may not have failed
		write(t, configFile, string(original))
	})
	return unit{t}
}

// enable sets whether the unit starts at boot. enable and useDropIn reload the manager only after
// a change, because this costs seconds in a VM.
func enable(t *testing.T, on bool) {
	t.Helper()
	if is := exec.Command("systemctl", "--quiet", "is-enabled", "genltestd").Run() == nil; is == on {
		return
	}
	command(t, "systemctl", map[bool]string{true: "enable", false: "disable"}[on], "genltestd")
}

// useDropIn sets the contents of the unit's drop-in.
func useDropIn(t *testing.T, text string) {
	t.Helper()
	if err := os.MkdirAll(dropIns, 0o755); err != nil {
		t.Fatal(err)
	}
	file := dropIns + "/test.conf"
	if old, err := os.ReadFile(file); err == nil && string(old) == text {
		return
	}
	write(t, file, text)
	command(t, "systemctl", "daemon-reload")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := sysfs.Write(file, text); err != nil {
		t.Fatal(err)
	}
}

func (u unit) property(name string) string {
	u.t.Helper()
	return strings.TrimSpace(command(u.t, "systemctl", "show", "-P", name, "genltestd"))
}

func (u unit) journal(args ...string) string {
	u.t.Helper()
	return command(u.t, "journalctl", append([]string{"_SYSTEMD_INVOCATION_ID=" + u.property("InvocationID"), "--no-pager"}, args...)...)
}

func (u unit) eventually(what string, condition func() bool) {
	u.t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if condition() {
			return
		}
	}
	u.t.Fatalf("waited in vain: %s", what)
}

func get(path string) (int, string) {
	resp, err := http.Get(address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// metric returns the sum of the series as scrape.Sum does, -1 without such a series.
func metric(series string) float64 {
	_, page := get("/metrics")
	if value, ok := scrape.Sum(page, series); ok {
		return value
	}
	return -1
}

type event struct {
	ID, Kind, Message string
	LoadID            string `json:"load_id"`
	KernelSeq         uint64 `json:"kernel_seq"`
	Gap               struct {
		Count  uint64
		Reason string
	}
}

func events(t *testing.T) []event {
	t.Helper()
	text, err := os.ReadFile(eventFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var list []event
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // still being written
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

func TestEventsReachTheSinkAndTheCounters(t *testing.T) {
	u := start(t, fileSink, "")
	for i := range 10 {
		write(t, ping, fmt.Sprintf("event %d\n", i))
	}
	write(t, burst, "5000 burst\n")
	u.eventually("every event in the file", func() bool { return len(events(t)) == 5010 })
	list := events(t)
	for i, e := range list[:10] {
		if e.Message != fmt.Sprintf("event %d", i) {
			t.Errorf("event %d is %q", i, e.Message)
		}
	}
	ids := map[string]bool{}
	for i, e := range list {
		ids[e.ID] = true
		if i > 0 && e.KernelSeq != list[i-1].KernelSeq+1 {
			t.Fatalf("kernel sequence %d after %d", e.KernelSeq, list[i-1].KernelSeq)
		}
	}
	if len(ids) != len(list) {
		t.Errorf("%d ids for %d events", len(ids), len(list))
	}
	for name, want := range map[string]float64{
		"genltestd_events_received_total":                       5010,
		`genltestd_events_lost_total{reason="kernel_buffer"}`:   0,
		`genltestd_sink_events_delivered_total{sink="archive"}`: 5010,
		`genltestd_sink_events_waiting{sink="archive"}`:         0,
		"genltestd_subscribed":                                  1,
		"genltestd_receive_buffer_bytes":                        128 << 20, // forced: twice the default
	} {
		// The file is synced after the write, and counted after that.
		u.eventually(fmt.Sprintf("%s is %v", name, want), func() bool { return metric(name) == want })
	}
}

func TestDefaultConfigurationWritesToTheJournal(t *testing.T) {
	u := start(t, "", "")
	write(t, ping, "to the journal")
	u.eventually("the event in the journal", func() bool { return strings.Contains(u.journal("-o", "cat"), `"message":"to the journal"`) })
	// Log lines contain their priority and no time.
	warnings := u.journal("-o", "cat", "-p", "warning")
	infos := u.journal("-o", "cat")
	if warnings != "" && strings.Contains(warnings, "msg=subscribed") {
		t.Errorf("an information came as a warning:\n%s", warnings)
	}
	if !strings.Contains(infos, "msg=subscribed") || strings.Contains(infos, "time=") || strings.Contains(infos, "<6>") {
		t.Errorf("log:\n%s", infos)
	}
}

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

func TestKilledDaemonComesBack(t *testing.T) {
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

func TestHungDaemonIsRestartedByTheWatchdog(t *testing.T) {
	u := start(t, fileSink, "WatchdogSec=2s")
	time.Sleep(4 * time.Second)
	if n := u.property("NRestarts"); n != "0" {
		t.Fatalf("%s restarts of a healthy daemon", n)
	}
	command(t, "systemctl", "kill", "-s", "STOP", "genltestd")
	u.eventually("a restart", func() bool { return u.property("NRestarts") == "1" && metric("genltestd_subscribed") == 1 })
}

func TestStopDeliversWhatWasReceived(t *testing.T) {
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
		t.Errorf("the log does not say that the family is absent:\n%s", log)
	}
	command(t, "modprobe", "genltest")
	u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	write(t, ping, "hello")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
}

func TestInvalidConfigurationIsNamedWithPlaceAndRemedy(t *testing.T) {
	u := configure(t, "sinks:\n- name: a\n  fiel: {path: /x}\n", "")
	if err := exec.Command("systemctl", "start", "genltestd").Run(); err == nil {
		t.Fatal("the unit started")
	}
	// When a unit fails, systemd closes the stored socket.
	u.eventually("another try", func() bool { return u.property("NRestarts") != "0" })
	if got := u.property("ActiveState"); got != "activating" {
		t.Errorf("state = %s", got)
	}
	log := command(t, "journalctl", "-u", "genltestd", "--no-pager", "-n", "20", "-o", "cat")
	if !strings.Contains(log, configFile+`:3:3: sinks[0].fiel: unknown key; did you mean "file"?`) || !strings.Contains(log, "status=78/CONFIG") {
		t.Errorf("journal:\n%s", log)
	}
	write(t, configFile, fileSink)
	u.eventually("a start without anybody's help", func() bool { return metric("genltestd_subscribed") == 1 })
}

func TestSinkThatCannotBeOpenedKeepsNoOtherFromWorking(t *testing.T) {
	u := start(t, fileSink+"- name: a\n  file: {path: /etc/events.jsonl}\n", "")
	write(t, ping, "delivered")
	u.eventually("the event in the other sink", func() bool { return len(events(t)) == 1 })
	const fault = "/etc/events.jsonl: read-only file system"
	u.eventually("the fault in /readyz", func() bool { code, body := get("/readyz"); return code == 503 && strings.Contains(body, fault) })
	if n := strings.Count(u.journal("-o", "cat"), fault); n != 1 {
		t.Errorf("%d log lines for one lasting fault", n)
	}
}

// smallDisk moves the sink's file to a disk of 64 KiB, until enlarge is called.
func smallDisk(t *testing.T) (enlarge func()) {
	t.Helper()
	dir := filepath.Dir(eventFile)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() }) // otherwise the next test fails
	return func() {
		t.Helper()
		command(t, "mount", "-o", "remount,size=10m", dir)
	}
}

func TestFullDiskDelaysAndLosesNothing(t *testing.T) {
	enlarge := smallDisk(t)
	u := start(t, fileSink, "")
	write(t, burst, "2000 x\n")
	u.eventually("a failing sink", func() bool { return metric(`genltestd_sink_healthy{sink="archive"}`) == 0 })
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "no space left on device") {
		t.Errorf("readyz: %d %s", code, body)
	}
	u.eventually("a degraded status", func() bool { return strings.HasPrefix(u.property("StatusText"), "DEGRADED: ") })
	enlarge()
	u.eventually("every event", func() bool { return metric(`genltestd_sink_events_delivered_total{sink="archive"}`) == 2000 })
	list := events(t)
	for i, e := range list {
		if i > 0 && e.KernelSeq != list[i-1].KernelSeq+1 {
			t.Fatalf("kernel sequence %d after %d", e.KernelSeq, list[i-1].KernelSeq)
		}
	}
	if len(list) != 2000 {
		t.Errorf("%d events in the file", len(list))
	}
}

func TestKilledDaemonDeliversWhatItHadReceived(t *testing.T) {
	enlarge := smallDisk(t)
	u := start(t, fileSink, "")
	write(t, burst, "3000 x\n")
	u.eventually("all received", func() bool { return metric("genltestd_events_received_total") == 3000 })
	command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
	enlarge()
	u.eventually("every event", func() bool { return len(wholeEvents(t)) >= 3000 })
	seen := map[string]bool{}
	for i, e := range wholeEvents(t) {
		if seen[e.ID] {
			continue // the last batch may be repeated, with the same ids
		}
		seen[e.ID] = true
		if e.KernelSeq == 0 {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	if len(seen) != 3000 {
		t.Errorf("%d of 3000 events", len(seen))
	}
}

// wholeEvents omits a line that a kill has truncated.
func wholeEvents(t *testing.T) []event {
	t.Helper()
	text, err := os.ReadFile(eventFile)
	if err != nil {
		return nil
	}
	var list []event
	for line := range strings.Lines(string(text)) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			list = append(list, e)
		}
	}
	return list
}

func TestWithoutTheCapabilityTheBufferIsSmallerAndSaidSo(t *testing.T) {
	u := start(t, fileSink, "AmbientCapabilities=\nCapabilityBoundingSet=")
	if got := metric("genltestd_receive_buffer_bytes"); got <= 0 || got >= 128<<20 {
		t.Errorf("receive buffer of %v bytes", got)
	}
	if log := u.journal("-p", "warning"); !strings.Contains(log, "smaller receive buffer") {
		t.Errorf("the log does not say so:\n%s", log)
	}
	write(t, ping, "hello")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
}

func TestLogrotateMovesTheFileAway(t *testing.T) {
	u := start(t, fileSink, "")
	write(t, ping, "one")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
	if err := os.Rename(eventFile, eventFile+".1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(eventFile + ".1") })
	write(t, ping, "two")
	u.eventually("a new file", func() bool { list := events(t); return len(list) == 1 && list[0].Message == "two" })
}

func TestTutorialsProgramWorksWithTheModule(t *testing.T) {
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
	for told := false; ; {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if !told && strings.Contains(text.String(), "Hello from Kernel") {
			told = true
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
