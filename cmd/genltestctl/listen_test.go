// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/netdevices"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// startListen runs listen in the network namespace of the calling thread until it receives.
func startListen(t *testing.T, args ...string) (stdout, stderr *syncbuffer.Buffer, process *os.Process, exited <-chan int) {
	t.Helper()
	cmd := cmdtest.Command(t, append([]string{"listen"}, args...)...)
	stdout, stderr = new(syncbuffer.Buffer), new(syncbuffer.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() { _ = cmd.Wait(); done <- cmd.ProcessState.ExitCode() }()
	poll.Until(t, "the subscription", func() bool { return strings.Contains(stderr.String(), "listening to") })
	return stdout, stderr, cmd.Process, done
}

// ofHost skips the test if the host's kernel does not have a family.
func ofHost(t *testing.T, family string) {
	t.Helper()
	kernel, err := openController()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	if _, err := findFamily(t.Context(), kernel, family); err != nil {
		t.Skip(err)
	}
}

func TestListenPrintsEventsOfTheHostsKernel(t *testing.T) {
	netdevices.EnterNamespace(t)
	ofHost(t, "netdev")
	devices := netdevices.Open(t)
	stdout, stderr, _, exited := startListen(t, "netdev", "mgmt", "-n", "2", "-o", "json")
	devices.AddPair("pair0") // one event for each device
	if code := <-exited; code != 0 {
		t.Fatalf("exit status %d, %q", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		var got listenForm
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Family != "netdev" || got.Group != "mgmt" ||
			got.Command == nil || *got.Command != "dev-add-ntf" || !bytes.Contains(got.Attributes, []byte(`"ifindex":`)) {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func TestListenEndsWithAnInterrupt(t *testing.T) {
	netdevices.EnterNamespace(t)
	ofHost(t, "netdev")
	devices := netdevices.Open(t)
	stdout, stderr, process, exited := startListen(t, "netdev")
	devices.AddPair("pair0")
	poll.Until(t, "an event", func() bool { return strings.Contains(stdout.String(), "  netdev mgmt  dev-add-ntf {") })
	process.Signal(syscall.SIGINT)
	if code := <-exited; code != 0 {
		t.Errorf("exit status %d, %q", code, stderr)
	}
}

func TestListenRefusesUnknownNames(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"listen", "nonsense"}, exitNoInput, `generic netlink family "nonsense" is not registered`},
		{[]string{"listen", "nlctrl", "nonsense"}, exitNoInput, `family nlctrl does not have the group "nonsense"`},
		{[]string{"listen", "a", "b", "c"}, exitUsage, "at most 2 arg"},
		{[]string{"ping"}, exitUsage, "1 arg"},
	} {
		if code, _, stderr := execute(t, c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit status %d, %q", c.args, code, stderr)
		}
	}
}

func TestEventsOfListenAsJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, e := range map[string]event.Event{
		`{"time":"2026-01-02T03:04:05Z","family":"genltest","group":"mcgrp","kernel_time":"2026-01-02T03:04:05Z","kernel_seq":7,` +
			`"load_id":"00000000000000ff","message":"disk full"}`: {
			Time: at, KernelTime: at, KernelSeq: 7, LoadID: 255, Family: "genltest", Group: "mcgrp", Message: []byte("disk full\n"),
		},
		`{"time":"2026-01-02T03:04:05Z","family":"genltest","group":"mcgrp","message":"` + "\ufffd" + `","message_base64":"/w=="}`: {
			Time: at, Family: "genltest", Group: "mcgrp", Message: []byte("\xff"),
		},
		`{"time":"2026-01-02T03:04:05Z","family":"ethtool","group":"monitor","command":"x","attributes":{},"error":"bad"}`: {
			Time: at, Family: "ethtool", Group: "monitor", Content: &event.Content{Command: "x", Error: "bad"},
		},
	} {
		got, err := json.Marshal(listenFormOf(&e))
		if diff := cmp.Diff(strings.ReplaceAll(want, "\ufffd", `\ufffd`), string(got)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestPingWritesOneLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ping")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hello", "hello\n"} {
		if err := ping(file, text); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "hello\n" {
			t.Errorf("%q: wrote %q, %v", text, got, err)
		}
	}
	for path, c := range map[string]struct {
		code int
		want string
	}{
		filepath.Join(dir, "absent"): {exitNoInput, "the module is not loaded; load it (modprobe genltest)"},
		"/sys/kernel/uevent_seqnum":  {exitNoPerm, "run genltestctl"}, // the superuser cannot write it either
		"/dev/full":                  {exitFailed, "no space left on device"},
	} {
		err := ping(path, "x")
		if text, code := new(session).explain(err); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%s: exit status %d, %v", path, code, err)
		}
	}
}

func TestEchoWithoutTheModule(t *testing.T) {
	text, code := new(session).explain(moduleFault(genl.ErrFamilyAbsent))
	if code != exitNoInput || !strings.Contains(text, "modprobe genltest") && !strings.Contains(text, "network namespace") {
		t.Errorf("exit status %d, %q", code, text)
	}
}

func TestReplyIsSafeToShow(t *testing.T) {
	for output, want := range map[outputFormat]string{
		outputText: visible("Hello"+hostile) + "\ntime 0.213 ms\n",
		outputJSON: `{"reply":"Hello\u001b[2J\u202egnp.exe\n\ufffd31m","seconds":0.000213}` + "\n",
	} {
		out := tempFile(t)
		if err := (&session{out: out, output: output}).showReply(echoForm{"Hello" + hostile, 0.000213}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", output, diff)
		}
	}
}
