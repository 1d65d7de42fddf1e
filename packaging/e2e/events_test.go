// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/messages"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

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
		t.Errorf("an info message has the level of a warning:\n%s", warnings)
	}
	if !strings.Contains(infos, "msg=subscribed") || strings.Contains(infos, "time=") || strings.Contains(infos, "<6>") {
		t.Errorf("log:\n%s", infos)
	}
}

func TestLogLinesCanBeSelectedByTheirFields(t *testing.T) {
	u := start(t, fileSink, "")
	const subscribed = "subscribed"
	u.eventually("a subscription", func() bool { return metric("genltestd_subscribed") == 1 })
	selected := u.journal("-o", "json", "MESSAGE_ID="+messages.ID(subscribed), "GENLTESTD_FAMILY=genltest", "SYSLOG_IDENTIFIER=genltestd")
	list := sinktest.ParseJournal(t, []byte(selected))
	if len(list) != 1 || list[0]["PRIORITY"] != "6" || list[0]["GENLTESTD_GROUPS"] == "" || list[0]["_SYSTEMD_UNIT"] != "genltestd.service" {
		t.Fatalf("entries %q", list)
	}
	// The image was installed into a directory, which does not update the database of catalogues.
	command(t, "journalctl", "--update-catalog")
	if explained := u.journal("-x", "MESSAGE_ID="+messages.ID(subscribed)); !strings.Contains(explained, "Defined-By: genltestd") {
		t.Errorf("journalctl -x has no explanation:\n%s", explained)
	}
}

func TestMissingCapabilityIsLoggedAndReducesTheBuffer(t *testing.T) {
	u := start(t, fileSink, "AmbientCapabilities=\nCapabilityBoundingSet=")
	if got := metric("genltestd_receive_buffer_bytes"); got <= 0 || got >= 128<<20 {
		t.Errorf("receive buffer of %v bytes", got)
	}
	if log := u.journal("-p", "warning"); !strings.Contains(log, "smaller receive buffer") {
		t.Errorf("the log does not report the smaller buffer:\n%s", log)
	}
	write(t, ping, "hello")
	u.eventually("the event", func() bool { return len(events(t)) == 1 })
}
