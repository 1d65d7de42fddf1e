// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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

func TestKilledDaemonDeliversItsJournal(t *testing.T) {
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

func TestFileIsReopenedAfterLogrotate(t *testing.T) {
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

func TestUnopenedSinkDoesNotAffectTheOthers(t *testing.T) {
	u := start(t, fileSink+"- name: a\n  file: {path: /etc/events.jsonl}\n", "")
	write(t, ping, "delivered")
	u.eventually("the event in the other sink", func() bool { return len(events(t)) == 1 })
	const fault = "/etc/events.jsonl: read-only file system"
	u.eventually("the fault in /readyz", func() bool { code, body := get("/readyz"); return code == 503 && strings.Contains(body, fault) })
	if n := strings.Count(u.journal("-o", "cat"), fault); n != 1 {
		t.Errorf("%d log lines for one lasting fault", n)
	}
}
