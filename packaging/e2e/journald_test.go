// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	genltest "github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const (
	journaldSink = "sinks:\n- name: journal\n  journald:\n    identifier: test-events\n    fields: [{name: SITE, value: berlin}]\n"
	// Without the unit's own limit, this one would drop nearly all entries.
	rateLimitedJournald = "[Journal]\nRuntimeMaxUse=64M\nRuntimeKeepFree=1M\nRateLimitIntervalSec=1h\nRateLimitBurst=20\n"
	journaldDropIn      = "/run/systemd/journald.conf.d/test.conf"
	sendBuffer          = "/proc/sys/net/core/wmem_default"
)

func entries(t *testing.T) []map[string]string {
	t.Helper()
	out := command(t, "journalctl", "--all", "--no-pager", "-o", "json", "SYSLOG_IDENTIFIER=test-events")
	return sinktest.ParseJournal(t, []byte(out))
}

// restartJournald makes journald read its configuration.
func restartJournald(t *testing.T, conf string) {
	t.Helper()
	if err := os.MkdirAll("/run/systemd/journald.conf.d", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, journaldDropIn, conf)
	if out, err := exec.Command("systemctl", "restart", "systemd-journald").CombinedOutput(); err != nil {
		t.Fatalf("restart journald: %v\n%s", err, out)
	}
}

// useSmallDatagrams limits datagrams, so that an entry with a long text does not fit into one.
func useSmallDatagrams(t *testing.T) {
	t.Helper()
	size, err := os.ReadFile(sendBuffer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, sendBuffer, "4608")
	t.Cleanup(func() { write(t, sendBuffer, string(size)) })
}

// hostileTexts are written without a final newline, because the module removes it.
func hostileTexts() []string {
	texts := []string{
		"plain", "two\nlines", "\nMESSAGE=forged\nPRIORITY=0", "\x1b[2J\x1b]0;x\a", "\xff\xfe", "caf\xc3\xa9", "%n%s%x",
		"a=b", "=", " ", "\t", "\u202e", `"quoted" \back`, "$(reboot)", "<0>urgent", "{\"id\":\"forged\"}",
	}
	for i := range 20 {
		texts = append(texts, strings.Repeat(fmt.Sprintf("%02d\xff\n", i), 600)+"end") // 3,003 bytes
	}
	return append(texts, strings.Repeat("x", 4000), strings.Repeat("\n=", 1990)+"end")
}

func TestJournaldStoresEveryEventWithItsFields(t *testing.T) {
	useSmallDatagrams(t)
	u := configure(t, journaldSink, "")
	restartJournald(t, rateLimitedJournald)
	t.Cleanup(func() { restartJournald(t, "") })
	command(t, "systemctl", "start", "genltestd")
	u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })

	texts := hostileTexts()
	for _, text := range texts {
		write(t, ping, text)
	}
	const volley = 1000
	write(t, burst, strconv.Itoa(volley)+" burst\n")
	u.eventually("every event delivered", func() bool {
		return metric(`genltestd_sink_events_delivered_total{sink="journal"}`) == float64(len(texts)+volley)
	})
	u.eventually("every event in the journal", func() bool { return len(entries(t)) >= len(texts)+volley })

	list := entries(t)
	if len(list) != len(texts)+volley {
		t.Fatalf("%d entries of %d events", len(list), len(texts)+volley)
	}
	for i, want := range texts {
		got, shown := list[i]["MESSAGE"], string(genltest.AppendLine(nil, []byte(want)))
		if diff := cmp.Diff(shown, got); diff != "" {
			t.Errorf("text %d as it is shown (-want +got):\n%s", i, diff)
		}
		if encoded, ok := list[i]["GENLTEST_MESSAGE_BASE64"]; ok {
			exact, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			got = string(exact)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("text %d (-want +got):\n%s", i, diff)
		}
	}
	seen := map[string]bool{}
	for i, e := range list {
		seen[e["GENLTEST_ID"]] = true
		if got, want := e["GENLTEST_KERNEL_SEQ"], strconv.Itoa(i+1); got != want {
			t.Fatalf("entry %d is event %s, want %s", i, got, want)
		}
	}
	if len(seen) != len(list) {
		t.Errorf("%d ids for %d entries", len(seen), len(list))
	}
	checkFields(t, u, list[0])
}

func checkFields(t *testing.T, u unit, e map[string]string) {
	t.Helper()
	own := map[string]string{"_SYSTEMD_UNIT": e["_SYSTEMD_UNIT"], "_PID": e["_PID"]}
	for name, value := range e {
		if !strings.HasPrefix(name, "_") {
			own[name] = value
		}
	}
	for name, form := range map[string]string{
		"GENLTEST_ID": `^[0-9a-f]{16}-1$`, "GENLTEST_LOAD_ID": `^[0-9a-f]{16}$`,
		"GENLTEST_TIME": `^20.*\.\d{9}Z$`, "GENLTEST_KERNEL_TIME": `^20.*\.\d{9}Z$`,
	} {
		if !regexp.MustCompile(form).MatchString(own[name]) {
			t.Errorf("%s is %q, want %s", name, own[name], form)
		}
		delete(own, name)
	}
	want := map[string]string{
		"_SYSTEMD_UNIT": "genltestd.service", "_PID": u.property("MainPID"),
		"MESSAGE": "plain", "MESSAGE_ID": "95d67113b44e48a5a63c209d0dd91446", "PRIORITY": "6",
		"SYSLOG_IDENTIFIER": "test-events", "SITE": "berlin",
		"GENLTEST_SEQ": "1", "GENLTEST_KIND": "event", "GENLTEST_KERNEL_SEQ": "1",
		"GENLTEST_HOST": "genltest-vm", "GENLTEST_FAMILY": "genltest", "GENLTEST_GROUP": "mcgrp",
	}
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// The queue of journald's socket survives a kill of journald. Only the entry that it was
// processing is lost.
func TestJournaldKilledUnderLoadLosesAtMostOneEntry(t *testing.T) {
	u := start(t, strings.Replace(journaldSink, "test-events", "test-kill", 1), "")
	restartJournald(t, rateLimitedJournald)
	t.Cleanup(func() { restartJournald(t, "") })
	u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	l := startLoad(t)
	kills := rounds(3, 30)
	for range kills {
		before := journaldPID(t)
		command(t, "systemctl", "reset-failed", "systemd-journald") // to stay within the start limit
		command(t, "systemctl", "kill", "-s", "KILL", "systemd-journald")
		u.eventually("another journald", func() bool { now := journaldPID(t); return now != before && now != "0" })
	}
	received, _ := u.counted(l.end())
	u.eventually("delivery", func() bool {
		return metric(`genltestd_sink_events_delivered_total{sink="journal"}`) == float64(received)
	})
	command(t, "journalctl", "--sync")
	seen := kernelSeqs(t, "test-kill")
	t.Logf("%d entries of %d events", len(seen), received)
	if missing := received - len(seen); missing > kills || missing < 0 {
		t.Errorf("the journal has %d of %d events", len(seen), received)
	}
}

func journaldPID(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(command(t, "systemctl", "show", "-P", "MainPID", "systemd-journald"))
}

func kernelSeqs(t *testing.T, identifier string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	numbers := command(t, "journalctl", "--no-pager", "-o", "cat", "--output-fields=GENLTEST_KERNEL_SEQ", "SYSLOG_IDENTIFIER="+identifier)
	for seq := range strings.Lines(numbers) {
		seen[strings.TrimSpace(seq)] = true
	}
	return seen
}
