// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/internal/poll"
)

const allFamilies = `families:
- name: ethtool
- name: netdev
- name: acpi_event
- name: devlink
- name: mptcp_pm
- name: linkflap
` + fileSink

func TestFamiliesArriveDecoded(t *testing.T) {
	loadFamilies(t)
	u := start(t, allFamilies, "")
	u.untilSubscribed("ethtool", "acpi_event", "devlink", "mptcp_pm", "linkflap")
	logEvents(t)
	t.Run("a private family by its user's specification", func(t *testing.T) {
		write(t, flap, "2 eth0")
		write(t, stats, "1")
		u := unit{t}
		u.eventually("the events", func() bool { return len(familyEvents(t, "linkflap")) == 3 })
		port := map[string]any{"name": "eth0", "index": 1.0}
		want := []familyEvent{
			{Group: "flaps", Command: "flap-ntf", Attributes: map[string]any{"seq": 1.0, "port": port, "state": "up"}},
			{Group: "flaps", Command: "flap-ntf", Attributes: map[string]any{
				"seq": 2.0, "port": port, "state": "down", "reason": "carrier lost",
			}},
			{Group: "stats", Command: "stats-ntf", Attributes: map[string]any{"seq": 3.0, "counter": []any{
				map[string]any{"state": "down", "events": 1.0}, map[string]any{"state": "up", "events": 1.0},
			}}},
		}
		got := familyEvents(t, "linkflap")
		for i := range got {
			// Random, and usually beyond the numbers of JSON.
			if load := got[i].Attributes["load-id"]; load == nil || load != got[0].Attributes["load-id"] {
				t.Errorf("load-id %v", load)
			}
		}
		for i := range got {
			delete(got[i].Attributes, "load-id")
		}
		compareEvents(t, want, got)
	})
	t.Run("acpi_event by the power button", func(t *testing.T) {
		write(t, monitor, "system_powerdown\n")
		u := unit{t}
		u.eventually("the event", func() bool { return len(familyEvents(t, "acpi_event")) == 1 })
		pressed := map[string]any{"device-class": "button/power", "bus-id": "LNXPWRBN:00", "type": 128.0, "data": 1.0}
		want := []familyEvent{{Group: "acpi_mc_group", Command: "event", Attributes: map[string]any{"event": pressed}}}
		compareEvents(t, want, familyEvents(t, "acpi_event"))
	})
	t.Run("mptcp_pm by a connection", func(t *testing.T) {
		port := connectMPTCP(t)
		u := unit{t}
		u.eventually("the end of both sides", func() bool { return len(named(familyEvents(t, "mptcp_pm"), "closed")) == 2 })
		checkConnection(t, familyEvents(t, "mptcp_pm"), port)
	})
	t.Run("ethtool by a change of an offload", func(t *testing.T) {
		addDevice(t, "offload0")
		u := unit{t}
		for _, on := range []bool{false, true} {
			before := len(named(familyEvents(t, "ethtool"), "features-ntf"))
			if err := toggleOffload("offload0", on); err != nil {
				t.Fatal(err)
			}
			u.eventually("the event", func() bool { return len(named(familyEvents(t, "ethtool"), "features-ntf")) > before })
		}
		list := named(familyEvents(t, "ethtool"), "features-ntf")
		if header, ok := list[len(list)-1].Attributes["header"].(map[string]any); !ok || header["dev-name"] != "offload0" {
			t.Errorf("header %v", header)
		}
	})
	t.Run("netdev by a new device", func(t *testing.T) {
		if isKernel("6.1") {
			_, body := get("/readyz")
			if !strings.Contains(body, "netdev") {
				t.Errorf("/readyz does not name the family that this kernel lacks: %s", body)
			}
			return
		}
		checkNetdev(t)
	})
	t.Run("devlink by a simulated device", func(t *testing.T) {
		if !hasNetdevsim() {
			t.Skip("this kernel cannot load netdevsim")
		}
		checkDevlink(t)
	})
	for _, family := range []string{"ethtool", "netdev", "acpi_event", "devlink", "mptcp_pm", "linkflap"} {
		for _, e := range familyEvents(t, family) {
			if e.Error != "" || e.Command == "" || e.Group == "" {
				t.Errorf("not decoded: %+v", e)
			}
		}
	}
	if lost := metric("genltestd_events_lost_total"); lost != 0 {
		t.Errorf("%v events lost", lost)
	}
}

// logEvents logs the sink's file at the end of the test, for its readers.
func logEvents(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		text, err := os.ReadFile(eventFile)
		t.Logf("%s: %v\n%s", eventFile, err, text)
	})
}

// compareEvents compares groups, commands and attributes.
func compareEvents(t *testing.T, want, got []familyEvent) {
	t.Helper()
	contents := func(list []familyEvent) (out []map[string]any) {
		for _, e := range list {
			out = append(out, map[string]any{"group": e.Group, "command": e.Command, "attributes": e.Attributes})
		}
		return out
	}
	if diff := cmp.Diff(contents(want), contents(got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// checkConnection checks the events of both sides of one connection.
func checkConnection(t *testing.T, list []familyEvent, port int) {
	t.Helper()
	sides := map[float64][]string{}
	for _, e := range list {
		if e.Group != "mptcp_pm_events" {
			t.Errorf("%s in group %s", e.Command, e.Group)
		}
		token, ok := e.Attributes["token"].(float64)
		if !ok {
			continue // about a listener
		}
		sides[token] = append(sides[token], e.Command)
		if e.Command != "created" {
			continue
		}
		local, remote := e.Attributes["sport"], e.Attributes["dport"]
		if local != float64(port) && remote != float64(port) || e.Attributes["saddr4"] != "127.0.0.1" {
			t.Errorf("created with %v, the server's port is %d", e.Attributes, port)
		}
	}
	if len(sides) != 2 {
		t.Errorf("%d tokens of two sides: %v", len(sides), sides)
	}
	for token, commands := range sides {
		if diff := cmp.Diff([]string{"created", "established", "closed"}, commands); diff != "" {
			t.Errorf("events of token %v (-want +got):\n%s", token, diff)
		}
	}
}

func checkNetdev(t *testing.T) {
	t.Helper()
	u := unit{t}
	addDevice(t, "net0")
	device, err := net.InterfaceByName("net0")
	if err != nil {
		t.Fatal(err)
	}
	command(t, "ip", "link", "del", "net0")
	commands := func() (list []string) {
		for _, e := range familyEvents(t, "netdev") {
			if e.Attributes["ifindex"] == float64(device.Index) {
				list = append(list, e.Group+" "+e.Command)
			}
		}
		return list
	}
	u.eventually("both events", func() bool { return len(commands()) == 2 })
	if diff := cmp.Diff([]string{"mgmt dev-add-ntf", "mgmt dev-del-ntf"}, commands()); diff != "" {
		t.Errorf("events of the device (-want +got):\n%s", diff)
	}
}

func checkDevlink(t *testing.T) {
	t.Helper()
	u := unit{t}
	independent := listen(t, "devlink", "config")
	before := len(familyEvents(t, "devlink"))
	write(t, newDevice, "7 2")
	write(t, breakHealth, "a test breaks it")
	u.eventually("a recovery", func() bool { return len(healthReports(t)) >= 2 })
	write(t, deleteDevice, "7")
	u.eventually("the end of the device", func() bool { return len(named(familyEvents(t, "devlink"), "del")) == 1 })
	sent := independent.total(t)
	list := familyEvents(t, "devlink")[before:]
	if len(list) != sent {
		t.Errorf("%d events, an independent listener received %d", len(list), sent)
	}
	for _, e := range list {
		if e.Attributes["bus-name"] != "netdevsim" || e.Attributes["dev-name"] != "netdevsim7" || e.Group != "config" {
			t.Errorf("%s of %v", e.Command, e.Attributes)
		}
	}
	for command, least := range map[string]int{"new": 1, "port-new": 2, "param-new": 1, "region-new": 1, "trap-new": 1, "port-del": 2} {
		if n := len(named(list, command)); n < least {
			t.Errorf("%d events %s", n, command)
		}
	}
	states := []any{}
	for _, e := range healthReports(t) {
		reporter := e.Attributes["health-reporter"].(map[string]any)
		states = append(states, reporter["health-reporter-state"])
	}
	if diff := cmp.Diff([]any{"error", "healthy"}, states); diff != "" {
		t.Errorf("states of the reporter (-want +got):\n%s", diff)
	}
}

// healthReports returns the events of the reporter that the tests break.
func healthReports(t *testing.T) (list []familyEvent) {
	t.Helper()
	for _, e := range familyEvents(t, "devlink") {
		reporter, ok := e.Attributes["health-reporter"].(map[string]any)
		if ok && reporter["health-reporter-name"] == "dummy" {
			list = append(list, e)
		}
	}
	return list
}

func TestFamiliesThatCannotBeReceivedAreNamed(t *testing.T) {
	loadFamilies(t)
	u := start(t, `families:
- name: genltest
- name: mptcp_pm
- name: tcp_metrics
- {name: linkflap, groups: [flaps, none]}
- name: nosuch
`+fileSink, "AmbientCapabilities=\nCapabilityBoundingSet=")
	u.untilSubscribed("genltest", "linkflap")
	write(t, flap, "3 eth0")
	write(t, ping, "hello")
	u.eventually("the events of the others", func() bool {
		return len(familyEvents(t, "linkflap")) == 3 && len(familyEvents(t, "genltest")) == 1
	})
	for family, fault := range map[string]string{
		"mptcp_pm":    "CAP_NET_ADMIN",
		"tcp_metrics": "does not have multicast groups",
		"linkflap":    "does not have the multicast group none",
		"nosuch":      "not registered",
	} {
		poll.UntilNil(t, "the fault of "+family+" is reported everywhere", func() error { return u.isReported(family, fault) })
	}
}

// isReported returns an error unless /readyz, the log and the status line contain the fault of
// a family.
func (u unit) isReported(family, fault string) error {
	code, ready := get("/readyz")
	log, status := u.journal("-o", "cat"), u.property("StatusText")
	switch {
	case !strings.Contains(ready, family) || !strings.Contains(ready, fault) || code != 503:
		return fmt.Errorf("/readyz does not name %s and %q: %d %s", family, fault, code, ready)
	case !strings.Contains(log, fault):
		return fmt.Errorf("the log does not contain %q for %s:\n%s", fault, family, log)
	case !strings.Contains(status, family):
		return fmt.Errorf("the status line does not name %s: %s", family, status)
	}
	return nil
}
