// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
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
	poll.Until(u.t, what, condition)
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
