// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A load sends events until end is called.
type load struct {
	t    *testing.T
	cmd  *exec.Cmd
	stop string // path of a file that ends the load
	sent bytes.Buffer
}

// startLoad sends volleys of 500 events of genltest with short pauses.
func startLoad(t *testing.T) *load { return startLoadOf(t, burst, "500 x", 500, 50*time.Millisecond) }

// startLoadOf writes text to a file again and again. Each write sends a number of events. A
// write fails, and sends nothing, while the module is not loaded. A shell writes, because the signals
// of Go's runtime would interrupt a burst.
func startLoadOf(t *testing.T, file, text string, events int, pause time.Duration) *load {
	t.Helper()
	l := &load{t: t, stop: filepath.Join(t.TempDir(), "stop")}
	const send = `n=0; while [ ! -e "$1" ]; do { echo "$3" >"$2"; } 2>/dev/null && n=$((n + $4)); sleep "$5"; done; echo $n`
	l.cmd = exec.Command("sh", "-c", send, "load", l.stop, file, text, strconv.Itoa(events), fmt.Sprint(pause.Seconds()))
	l.cmd.Stdout, l.cmd.Stderr = &l.sent, os.Stderr
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a failed test may not have ended it
		_ = os.WriteFile(l.stop, nil, 0o600) // a failure appears in the next test
		l.cmd.Wait()                         // it ends now at the latest
	})
	return l
}

// end stops the load and returns the number of sent events.
func (l *load) end() (sent int) {
	l.t.Helper()
	write(l.t, l.stop, "")
	if err := l.cmd.Wait(); err != nil {
		l.t.Fatal(err)
	}
	if _, err := fmt.Sscan(l.sent.String(), &sent); err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%d events sent", sent)
	return sent
}

// counted waits until every event is received or lost, and returns both numbers.
func (u unit) counted(sent int) (received int, lost map[string]int) {
	u.t.Helper()
	var sum int
	u.eventually(fmt.Sprintf("an account of %d events", sent), func() bool {
		received = int(metric("genltestd_events_received_total"))
		sum, lost = received, map[string]int{}
		for _, reason := range []string{"kernel_buffer", "not_subscribed", "unexplained"} {
			lost[reason] = int(metric(fmt.Sprintf("genltestd_events_lost_total{reason=%q}", reason)))
			sum += lost[reason]
		}
		return sum >= sent
	})
	if sum != sent {
		u.t.Errorf("received %d + lost %v, sent %d", received, lost, sent)
	}
	return received, lost
}

// accounted waits until every event is lost or in the sink's file, and returns how many are lost.
func (u unit) accounted(sent int) (lost int) {
	u.t.Helper()
	received, byReason := u.counted(sent)
	for _, n := range byReason {
		lost += n
	}
	u.untilDelivered()
	byID, inFile := map[string]uint64{}, map[uint64]bool{}
	var inGaps, last uint64
	for _, e := range wholeEvents(u.t) {
		if e.Kind == "gap" {
			inGaps += e.Gap.Count
			continue
		}
		if seq, again := byID[e.ID]; again {
			if seq != e.KernelSeq { // a kill may repeat the last batch, with the same ids
				u.t.Errorf("%s is event %d and event %d", e.ID, seq, e.KernelSeq)
			}
			continue
		}
		if e.KernelSeq <= last {
			u.t.Errorf("event %d after event %d", e.KernelSeq, last)
		}
		last = e.KernelSeq
		byID[e.ID], inFile[e.KernelSeq] = e.KernelSeq, true
	}
	if len(inFile) != received || len(byID) != len(inFile) || inGaps > uint64(lost) {
		u.t.Errorf("received %d, lost %d; the file contains %d events with %d ids, and gaps of %d events",
			received, lost, len(inFile), len(byID), inGaps)
	}
	return lost
}

// untilDelivered waits until the sink's file contains all received events.
func (u unit) untilDelivered() {
	u.t.Helper()
	u.eventually("delivery", func() bool {
		return metric(`genltestd_sink_events_waiting{sink="archive"}`)+metric(`genltestd_sink_events_in_flight{sink="archive"}`) == 0
	})
}

// rounds is the number of repetitions of a fault.
func rounds(short, long int) int {
	if os.Getenv("GENLTESTD_SOAK") != "" {
		return long
	}
	return short
}

// untilRestarted waits for the next process of the unit.
func (u unit) untilRestarted(before string) {
	u.t.Helper()
	u.eventually("another process", func() bool {
		pid := u.property("MainPID")
		return pid != before && pid != "0" && metric("genltestd_subscribed") == 1
	})
}

func TestKillUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "RestartSec=100ms")
	l := startLoad(t)
	for range rounds(5, 100) {
		pid := u.property("MainPID")
		command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
		u.untilRestarted(pid)
	}
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
}

// A kill also hits the start of the daemon, while it processes the data of the previous process.
// The buffer has room for the events of one loop; after that, a process runs until it has
// received them.
func TestCrashLoopUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "RestartSec=1ms")
	sent := 0
	for range rounds(1, 10) {
		l := startLoad(t)
		for i := range 30 {
			_ = exec.Command("systemctl", "kill", "-s", "KILL", "genltestd").Run() // the process may not exist
			time.Sleep(time.Duration(i%10) * 20 * time.Millisecond)
		}
		sent += l.end()
		u.counted(sent)
	}
	if lost := u.accounted(sent); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
}

func TestRestartUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "")
	l := startLoad(t)
	for range rounds(4, 100) {
		command(t, "systemctl", "restart", "genltestd")
	}
	sent := l.end()
	if lost := u.accounted(sent); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	if lines := len(wholeEvents(t)); lines != sent {
		t.Errorf("%d lines for %d events", lines, sent)
	}
}

// A package upgrade replaces the files and restarts the unit once.
func TestUpgradeUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "")
	l := startLoad(t)
	for range rounds(2, 20) {
		command(t, "sh", "-c", "cp /usr/local/sbin/genltestd /usr/local/sbin/.new && mv /usr/local/sbin/.new /usr/local/sbin/genltestd")
		command(t, "systemctl", "daemon-reload")
		command(t, "systemctl", "restart", "genltestd")
	}
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
}

func TestInvalidConfigurationUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "")
	l := startLoad(t)
	write(t, configFile, "sinks: 1\n")
	_ = exec.Command("systemctl", "restart", "genltestd").Run() // must fail
	u.eventually("several attempts", func() bool { return u.property("NRestarts") >= "3" })
	write(t, configFile, fileSink)
	u.eventually("a start", func() bool { return metric("genltestd_subscribed") == 1 })
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
}

// A manual upgrade replaces the files of the daemon first.
func TestStopAndStartUnderLoadLosesNothing(t *testing.T) {
	u := start(t, fileSink, "")
	if u.property("FileDescriptorStorePreserve") != "yes" {
		t.Skip("systemd older than 254 closes the stored socket when the unit is stopped")
	}
	l := startLoad(t)
	for range rounds(3, 50) {
		command(t, "systemctl", "stop", "genltestd")
		time.Sleep(time.Second)
		command(t, "systemctl", "start", "genltestd")
	}
	if lost := u.accounted(l.end()); lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	if blind := metric("genltestd_blind_seconds_total"); blind != 0 {
		t.Errorf("blind for %v s", blind)
	}
}

// When a unit that is not enabled stops, all versions of systemd remove its descriptors.
func TestStoppedDaemonCountsItsLosses(t *testing.T) {
	u := start(t, fileSink, "")
	enable(t, false)
	write(t, burst, "100 x\n")
	command(t, "systemctl", "stop", "genltestd")
	write(t, burst, "200 missed\n")
	command(t, "systemctl", "start", "genltestd")
	write(t, ping, "after")
	if lost := u.accounted(301); lost != 200 {
		t.Errorf("%d events lost of 200", lost)
	}
	if blind := metric("genltestd_blind_seconds_total"); blind <= 0 {
		t.Errorf("blind for %v s", blind)
	}
}

func TestReloadWhileStoppedIsCounted(t *testing.T) {
	u := start(t, fileSink, "")
	write(t, burst, "100 x\n")
	u.eventually("the events", func() bool { return metric("genltestd_events_received_total") == 100 })
	// A kill keeps the socket stored while the module is reloaded.
	useDropIn(t, "[Service]\nRestartSec=5s\n")
	command(t, "systemctl", "kill", "-s", "KILL", "genltestd")
	command(t, "rmmod", "genltest")
	command(t, "modprobe", "genltest")
	write(t, burst, "50 missed\n")
	u.eventually("a restart", func() bool { return metric("genltestd_subscribed") == 1 })
	write(t, ping, "after")
	u.eventually("the event", func() bool { return metric("genltestd_events_received_total") == 101 })
	if lost := metric(`genltestd_events_lost_total{reason="not_subscribed"}`); lost != 50 {
		t.Errorf("%v events lost of 50", lost)
	}
}

// While the process is stopped, the buffer overruns. The kernel then also drops notifications
// of module reloads.
func TestOverrunDuringAReloadIsCountedExactly(t *testing.T) {
	for name, loaded := range map[string]bool{"subscribed": true, "away": false} {
		t.Run(name, func(t *testing.T) {
			u := start(t, fileSink+"receiver: {buffer: 256KiB}\n", "")
			if !loaded {
				command(t, "rmmod", "genltest")
				u.eventually("the module is unloaded", func() bool { return metric("genltestd_subscribed") == 0 })
			}
			command(t, "systemctl", "kill", "-s", "STOP", "genltestd")
			if !loaded {
				command(t, "modprobe", "genltest")
			}
			write(t, burst, "5000 x\n")
			for range 3 {
				command(t, "rmmod", "genltest")
				command(t, "modprobe", "genltest")
			}
			write(t, burst, "300 missed\n")
			command(t, "systemctl", "kill", "-s", "CONT", "genltestd")
			u.eventually("the daemon follows the reload", func() bool {
				return metric("genltestd_events_lost_total{reason=\"kernel_buffer\"}") > 0 && metric("genltestd_subscribed") == 1
			})
			time.Sleep(5 * time.Second) // until the daemon detects a lost notification
			write(t, ping, "after")
			received, got := u.counted(5301)
			want := map[string]int{"kernel_buffer": 5001 - received, "not_subscribed": 300, "unexplained": 0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}
