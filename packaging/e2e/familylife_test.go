// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// busyFamilies are the families of which a familyLoad sends events.
func busyFamilies() []string {
	list := []string{"genltest", "linkflap", "ethtool"}
	if hasNetdevsim() {
		list = append(list, "devlink")
	}
	return list
}

// familiesWith returns a configuration with the busy families and others.
func familiesWith(others string) string {
	yaml := "families:\n" + others
	for _, family := range busyFamilies() {
		yaml += "- name: " + family + "\n"
	}
	return yaml + fileSink
}

// A familyLoad sends events of several families until end is called.
type familyLoad struct {
	t         *testing.T
	counted   map[string][]*load // by family
	listeners map[string]*listener
	uncounted []*load
	stop      func() // ends the changes of the offload
}

func startFamilyLoad(t *testing.T) *familyLoad {
	t.Helper()
	const pause = 200 * time.Millisecond
	addDevice(t, "offload0")
	l := &familyLoad{t: t, listeners: map[string]*listener{"ethtool": listen(t, "ethtool", "monitor")}}
	if hasNetdevsim() {
		l.listeners["devlink"] = listen(t, "devlink", "config")
		write(t, newDevice, "7 1")
		l.uncounted = []*load{startLoadOf(t, breakHealth, "x", 0, pause)}
	}
	l.counted = map[string][]*load{
		"genltest": {startLoadOf(t, burst, "50 x", 50, pause)},
		"linkflap": {startLoadOf(t, flap, "30 eth0", 30, pause), startLoadOf(t, stats, "20", 20, pause)},
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	l.stop = sync.OnceFunc(func() { close(stop); <-stopped })
	t.Cleanup(l.stop)
	go func() {
		defer close(stopped)
		for on := false; ; on = !on {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			if err := toggleOffload("offload0", on); err != nil {
				t.Errorf("change an offload: %v", err)
				return
			}
		}
	}()
	return l
}

// end stops the load and returns the number of sent events by family.
func (l *familyLoad) end() map[string]int {
	l.t.Helper()
	l.stop()
	sent := map[string]int{}
	for family, loads := range l.counted {
		for _, load := range loads {
			sent[family] += load.end()
		}
	}
	for _, load := range l.uncounted {
		load.end()
	}
	for family, listener := range l.listeners {
		sent[family] = listener.total(l.t)
	}
	l.t.Logf("sent %v", sent)
	return sent
}

// arrived waits until the sent events of each family are received and delivered, and checks
// that no event is lost, doubled or out of order.
func (u unit) arrived(sent map[string]int) {
	u.t.Helper()
	for family, n := range sent {
		received := fmt.Sprintf("genltestd_events_received_total{family=%q}", family)
		u.eventually(fmt.Sprintf("%d events of %s", n, family), func() bool { return metric(received) >= float64(n) })
	}
	u.untilDelivered()
	got := map[string]int{}
	for family := range sent {
		got[family] = len(familyEvents(u.t, family))
		u.isClean(family)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		u.t.Errorf("events by family (-sent +in the file):\n%s", diff)
	}
	checkFlaps(u.t, familyEvents(u.t, "linkflap"))
	checkReports(u.t)
}

func (u unit) isClean(family string) {
	u.t.Helper()
	for _, name := range []string{"genltestd_events_lost_total", "genltestd_blind_seconds_total"} {
		if n := metric(fmt.Sprintf("%s{family=%q}", name, family)); n != 0 {
			u.t.Errorf("%s is %v for %s", name, n, family)
		}
	}
}

// checkFlaps checks the names of events of linkflap, and that their numbers ascend by one
// within a load of the module.
func checkFlaps(t *testing.T, list []familyEvent) {
	t.Helper()
	groups := map[string]string{"flap-ntf": "flaps", "stats-ntf": "stats"}
	last := map[any]float64{}
	for _, e := range list {
		if groups[e.Command] != e.Group || e.Group == "" {
			t.Fatalf("%s in group %q: %v", e.Command, e.Group, e)
		}
		load, seq := e.Attributes["load-id"], e.Attributes["seq"].(float64)
		if seq != last[load]+1 {
			t.Fatalf("event %v of linkflap after %v", seq, last[load])
		}
		last[load] = seq
	}
}

// checkReports checks that the numbers of errors in the reports of devlink ascend, for each
// device.
func checkReports(t *testing.T) {
	t.Helper()
	last := 0.0
	for _, e := range familyEvents(t, "devlink") {
		reporter, ok := e.Attributes["health-reporter"].(map[string]any)
		switch errors, _ := reporter["health-reporter-err-count"].(float64); {
		case e.Command == "new":
			last = 0
		case ok && (errors < last || errors > last+1):
			t.Fatalf("report of %v errors after %v errors", errors, last)
		case ok:
			last = errors
		}
	}
}

func TestFamiliesUnderLoadSurviveKillRestartAndReload(t *testing.T) {
	loadFamilies(t)
	u := start(t, familiesWith(""), "RestartSec=100ms")
	u.untilSubscribed(busyFamilies()...)
	l := startFamilyLoad(t)
	for range rounds(2, 50) {
		pid := u.property("MainPID")
		command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
		u.eventually("another process", func() bool { now := u.property("MainPID"); return now != pid && now != "0" })
		u.untilSubscribed(busyFamilies()...)
	}
	for range rounds(1, 30) {
		command(t, "systemctl", "restart", "genltestd")
	}
	for i := range rounds(3, 100) {
		others := []string{"- name: mptcp_pm\n", "- {name: nlctrl, buffer: 8MiB}\n", ""}[i%3]
		write(t, configFile, familiesWith(others))
		command(t, "systemctl", "reload", "genltestd")
	}
	u.arrived(l.end())
}

// Another module occupies the ids that the family had, so that the family gets others.
func TestFamiliesWhoseModulesAreReloaded(t *testing.T) {
	loadFamilies(t)
	u := start(t, familiesWith(""), "")
	u.untilSubscribed(busyFamilies()...)
	t.Cleanup(func() { _ = exec.Command("modprobe", "-r", "team").Run() }) // may not be loaded
	l := startFamilyLoad(t)
	for i := range rounds(2, 40) {
		command(t, "rmmod", "genltest_linkflap")
		u.eventually("linkflap is unloaded", func() bool { return !isSubscribed("linkflap") })
		command(t, "modprobe", [][]string{{"team"}, {"-r", "team"}}[i%2]...)
		command(t, "modprobe", "genltest_linkflap")
		u.untilSubscribed("linkflap")
		if hasNetdevsim() {
			command(t, "modprobe", "-r", "netdevsim")
			command(t, "modprobe", "netdevsim")
			write(t, newDevice, "7 1")
		}
	}
	u.arrived(l.end())
}

// The daemon cannot know the number of events of linkflap that it missed, only the time in which it could miss them.
func TestFamiliesReloadedWhileTheDaemonIsAway(t *testing.T) {
	loadFamilies(t)
	t.Cleanup(func() { _ = exec.Command("modprobe", "-r", "team").Run() }) // may not be loaded
	u := start(t, familiesWith(""), "RestartSec=3s")
	u.untilSubscribed(busyFamilies()...)
	write(t, flap, "10 eth0")
	u.eventually("the events", func() bool { return len(familyEvents(t, "linkflap")) == 10 })
	command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
	command(t, "rmmod", "genltest_linkflap")
	command(t, "modprobe", "-a", "team", "genltest_linkflap")
	write(t, flap, "10 eth0")
	write(t, burst, "100 x")
	u.untilSubscribed(busyFamilies()...)
	write(t, flap, "5 eth0")
	write(t, stats, "5")
	u.eventually("the events", func() bool { return len(familyEvents(t, "linkflap")) >= 20 })
	list := familyEvents(t, "linkflap")[10:]
	for i, e := range list {
		if want := map[bool]string{true: "flaps", false: "stats"}[i < 5]; e.Group != want || e.Attributes["seq"] != float64(11+i) {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if blind := metric(`genltestd_blind_seconds_total{family="linkflap"}`); blind <= 0 {
		t.Errorf("blind for %v s", blind)
	}
	u.eventually("the events of genltest", func() bool { return len(familyEvents(t, "genltest")) == 100 })
	u.isClean("genltest")
}
