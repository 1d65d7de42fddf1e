// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/metrics"
	"github.com/genltestd/genltestd/metrics/scrape"
	"github.com/genltestd/genltestd/packaging/vm/sysfs"
)

// These tests run the whole daemon in one process on the real module. A runner
// that boots a VM sets GENLTEST_MODULE and the other names; see packaging/vm.

const (
	ping  = "/sys/genltest/ping"
	burst = "/sys/genltest/burst"
)

func load(t *testing.T, variable string) {
	t.Helper()
	f, err := os.Open(os.Getenv(variable))
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		t.Fatalf("load %s: %v", f.Name(), err)
	}
	name := map[string]string{
		"GENLTEST_MODULE": "genltest", "GENLTEST_TUTORIAL_MODULE": "genltest_tutorial", "GENLTEST_FOREIGN_MODULE": "team",
	}[variable]
	t.Cleanup(func() {
		if err := unix.DeleteModule(name, 0); err != nil && err != unix.ENOENT {
			t.Errorf("unload %s: %v", name, err)
		}
	})
}

func unload(t *testing.T) { unloadModule(t, "genltest") }

func unloadModule(t *testing.T, name string) {
	t.Helper()
	if err := unix.DeleteModule(name, 0); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t *testing.T, file, text string) {
	t.Helper()
	if err := sysfs.Write(file, text); err != nil {
		t.Fatalf("write %d bytes to %s: %v", len(text), file, err)
	}
}

// run starts a daemon on this kernel.
func run(t *testing.T, yaml string) fixture {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(listenAnywhere+"echo: {interval: 100ms, timeout: 100ms}\n"+yaml), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, cfg, Options{})
}

type line struct {
	Message, Base64 string
	ID, Kind        string
	Gap             struct {
		Count  uint64
		Reason string
	}
	KernelSeq  uint64    `json:"kernel_seq"`
	KernelTime time.Time `json:"kernel_time"`
	LoadID     string    `json:"load_id"`
	Time       time.Time
}

// lines waits for n events and returns them all, without the gaps.
func (f fixture) lines(t *testing.T, n int) (events []line) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events", n), func() bool { return strings.Count(f.stdout.String(), `"kind":"event"`) >= n })
	for _, l := range f.all(t) {
		if l.Kind == "event" {
			events = append(events, l)
		}
	}
	return events
}

// gaps returns how many events the sink was told to be lost, by reason.
func (f fixture) gaps(t *testing.T) map[string]uint64 {
	t.Helper()
	sum := map[string]uint64{}
	for _, l := range f.all(t) {
		if l.Kind == "gap" {
			sum[l.Gap.Reason] += l.Gap.Count
		}
	}
	return sum
}

// all returns what the sink has, but for a line that is being written.
func (f fixture) all(t *testing.T) (list []line) {
	t.Helper()
	for text := range strings.Lines(f.stdout.String()) {
		if !strings.HasSuffix(text, "\n") {
			break
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		list = append(list, l)
	}
	return list
}

// account returns events received and events lost by each reason.
func (f fixture) account(t *testing.T) (received uint64, lost map[string]uint64, sum uint64) {
	t.Helper()
	_, page := f.get(t, "/metrics") // one scrape for all of them
	number := func(series string) uint64 {
		n, ok := scrape.Sum(page, series)
		if !ok {
			t.Fatalf("no metric %s", series)
		}
		return uint64(n)
	}
	lost = map[string]uint64{}
	for _, reason := range []string{metrics.LostKernelBuffer, metrics.LostNotSubscribed, metrics.LostUnexplained} {
		lost[reason] = number(fmt.Sprintf("genltestd_events_lost_total{reason=%q}", reason))
	}
	received = number("genltestd_events_received_total")
	return received, lost, received + number("genltestd_events_lost_total")
}

func (f fixture) messages(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for _, l := range f.lines(t, n) {
		list = append(list, l.Message)
	}
	return list
}

// metric returns the sum of the series as scrape.Sum does, as a decimal.
func (f fixture) metric(t *testing.T, series string) string {
	t.Helper()
	_, page := f.get(t, "/metrics")
	value, ok := scrape.Sum(page, series)
	if !ok {
		t.Fatalf("no metric %s", series)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

func TestKernelEventsOfEveryLengthArriveInOrder(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	var want []string
	for _, n := range []int{0, 1, 1024, 3500, 4000} {
		text := strings.Repeat("x", n)
		mustWrite(t, ping, text+"\n")
		want = append(want, text)
	}
	for _, n := range []int{4096, 5000, 100000} {
		if err := sysfs.Write(ping, strings.Repeat("x", n)); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
	mustWrite(t, ping, "\x1b[2Jcaf\u00e9\xff")
	want = append(want, "\x1b[2Jcaf\u00e9\ufffd")
	if diff := cmp.Diff(want, f.messages(t, len(want))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if strings.Contains(f.stdout.String(), "\x1b") {
		t.Error("an escape sequence reached the sink as it was")
	}
	loads := map[string]bool{}
	for i, l := range f.lines(t, len(want)) {
		if l.KernelSeq != uint64(i+1) || l.LoadID == "" {
			t.Errorf("event %d has kernel_seq %d, load_id %q", i, l.KernelSeq, l.LoadID)
		}
		loads[l.LoadID] = true
		if lag := l.Time.Sub(l.KernelTime); lag < 0 || lag > time.Minute {
			t.Errorf("received %v after it was sent", lag)
		}
	}
	if len(loads) != 1 {
		t.Errorf("load ids %v within one load", loads)
	}
}

func TestKernelEchoIsAnswered(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	eventually(t, "three answers", func() bool {
		n, err := strconv.Atoi(f.metric(t, `genltestd_echo_probes_total{result="ok"}`))
		return err == nil && n >= 3
	})
	for _, result := range []string{"timeout", "absent", "error"} {
		if n := f.metric(t, `genltestd_echo_probes_total{result="`+result+`"}`); n != "0" {
			t.Errorf("%s echo probes ended in %s", n, result)
		}
	}
	if code, body := f.get(t, "/readyz"); code != 200 {
		t.Errorf("readyz: %d %s", code, body)
	}
}

func TestKernelModuleAbsentAtStart(t *testing.T) {
	f := run(t, "")
	if code, _ := f.get(t, "/readyz"); code != 503 {
		t.Errorf("readyz: %d without the module", code)
	}
	load(t, "GENLTEST_MODULE")
	eventually(t, "subscription", f.receiver.Subscribed)
	mustWrite(t, ping, "hello")
	if got := f.messages(t, 1); got[0] != "hello" {
		t.Errorf("messages %q", got)
	}
	eventually(t, "readiness", func() bool { code, _ := f.get(t, "/readyz"); return code == 200 })
}

func TestKernelModuleReloadedWithTheDaemonRunning(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	loads := map[string]bool{}
	const rounds = 20
	for i := range rounds {
		eventually(t, "subscription", f.receiver.Subscribed)
		mustWrite(t, ping, fmt.Sprintf("round %d", i))
		l := f.lines(t, i+1)[i]
		if l.Message != fmt.Sprintf("round %d", i) {
			t.Fatalf("message %q in round %d", l.Message, i)
		}
		loads[l.LoadID] = true
		unload(t)
		eventually(t, "that the module is gone", func() bool { return !f.receiver.Subscribed() })
		load(t, "GENLTEST_MODULE")
	}
	if len(loads) != rounds {
		t.Errorf("%d load ids in %d loads", len(loads), rounds)
	}
	if n := f.metric(t, "genltestd_family_registrations_total"); n != fmt.Sprint(rounds+1) {
		t.Errorf("%s registrations in %d loads", n, rounds+1)
	}
}

func TestKernelBurstIsReceived(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	const events = 20000
	mustWrite(t, burst, fmt.Sprintf("%d x", events))
	f.inOrder(t, f.lines(t, events))
	if received, lost, sum := f.account(t); received != events || sum != events {
		t.Errorf("received %d, lost %v", received, lost)
	}
}

// inOrder checks that no event is there twice or out of order.
func (f fixture) inOrder(t *testing.T, events []line) {
	t.Helper()
	last := line{}
	for _, l := range events {
		if l.LoadID == last.LoadID && l.KernelSeq <= last.KernelSeq {
			t.Fatalf("kernel sequence %d after %d", l.KernelSeq, last.KernelSeq)
		}
		last = l
	}
}

// soak returns the short form's number, or the long one's when GENLTESTD_SOAK asks
// for it.
func soak(short, long int) int {
	if os.Getenv("GENLTESTD_SOAK") != "" {
		return long
	}
	return short
}

func TestKernelOverrunIsCountedExactly(t *testing.T) {
	for round := range soak(1, 20) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			load(t, "GENLTEST_MODULE")
			f := run(t, "receiver: {buffer: 256KiB}\n")
			const events = 200_000
			mustWrite(t, burst, fmt.Sprintf("%d x", events))
			// Nothing follows the burst: what was lost at its end counts too.
			eventually(t, "that received + lost is what was sent", func() bool { _, _, sum := f.account(t); return sum >= events })
			received, lost, sum := f.account(t)
			if sum != events || lost["kernel_buffer"] != sum-received || lost["kernel_buffer"] == 0 {
				t.Fatalf("received %d + lost %v, sent %d", received, lost, events)
			}
			t.Logf("received %d, lost %v", received, lost)
			f.inOrder(t, f.lines(t, int(received)))
			eventually(t, "that the sink is told", func() bool { return cmp.Equal(f.gaps(t), map[string]uint64{"kernel_buffer": events - received}) })
			// The numbers of the next events must not count it again.
			mustWrite(t, ping, "after")
			f.lines(t, int(received)+1)
			if again, lost, sum := f.account(t); sum != events+1 {
				t.Errorf("after one more event: received %d + lost %v, sent %d", again, lost, events+1)
			}
		})
	}
}

func TestKernelReloadHasNoBlindMoment(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	eventually(t, "subscription", f.receiver.Subscribed)
	sent := 0
	for round := range soak(30, 100) {
		if round%4 == 3 {
			unloadModule(t, "team") // gives a lower number back
		}
		unload(t)
		eventually(t, "that the module is gone", func() bool { return !f.receiver.Subscribed() })
		if round%4 == 1 {
			load(t, "GENLTEST_FOREIGN_MODULE") // takes the number that was freed
		}
		load(t, "GENLTEST_MODULE")
		mustWrite(t, burst, "180 x")
		sent += 180
		f.lines(t, sent)
	}
	if received, lost, sum := f.account(t); received != uint64(sent) || sum != received {
		t.Errorf("received %d, lost %v of %d", received, lost, sent)
	}
	f.inOrder(t, f.lines(t, sent))
}

// Nobody waits for the daemon here: what it misses it must count.
func TestKernelHastyReloadIsCountedExactly(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	eventually(t, "subscription", f.receiver.Subscribed)
	sent := uint64(0)
	for round := range soak(30, 100) {
		unload(t)
		load(t, "GENLTEST_MODULE")
		mustWrite(t, burst, "180 x")
		// An event that is received shows what is missing before it.
		eventually(t, "that the load is followed", func() bool {
			return f.metric(t, "genltestd_family_registrations_total") == fmt.Sprint(round+2)
		})
		mustWrite(t, ping, "last")
		sent += 181
		eventually(t, "that received + lost is what was sent", func() bool { _, _, sum := f.account(t); return sum >= sent })
	}
	received, lost, sum := f.account(t)
	if sum != sent || lost["unexplained"] != 0 {
		t.Errorf("received %d + lost %v, sent %d", received, lost, sent)
	}
	t.Logf("received %d, lost %v", received, lost)
}

func TestKernelEventsBeforeTheDaemonAreCounted(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	mustWrite(t, burst, "50 x")
	f := run(t, "")
	mustWrite(t, ping, "first")
	f.lines(t, 1)
	if received, lost, _ := f.account(t); received != 1 || lost["not_subscribed"] != 50 {
		t.Errorf("received %d, lost %v", received, lost)
	}
	if diff := cmp.Diff(map[string]uint64{"not_subscribed": 50}, f.gaps(t)); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if blind := f.metric(t, "genltestd_blind_seconds_total"); blind != "0" {
		t.Errorf("blind for %s s", blind)
	}
}

func TestKernelForgedAndForeignMessagesAreRefused(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	forged := kernelmsg.EventOf(f.receiver.Family(), kernelmsg.Text("fake"))
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: eventPort(t)}
	for _, data := range [][]byte{forged, []byte("garbage"), bytes.Repeat([]byte{0xff}, 9000)} {
		if err := unix.Sendto(fd, data, 0, to); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "refusals", func() bool { return f.metric(t, `genltestd_messages_refused_total{reason="sender"}`) == "3" })
	mustWrite(t, ping, "real")
	if diff := cmp.Diff([]string{"real"}, f.messages(t, 1)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// eventPort returns the port id of the only generic netlink socket here that is
// a member of a group besides nlctrl's "notify", in which its meter is too.
func eventPort(t *testing.T) (port uint32) {
	t.Helper()
	const notify = "00008000" // group 16, of the first 32
	// A line is there twice, or not at all, when a socket is closed between two reads.
	eventually(t, "a socket that has joined a group", func() bool {
		table, err := os.ReadFile("/proc/net/netlink")
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(table)) {
			var sk, groups string
			var protocol int
			var other uint32
			n, _ := fmt.Sscan(text, &sk, &protocol, &other, &groups)
			if n < 4 || protocol != unix.NETLINK_GENERIC || other == 0 || groups == "00000000" || groups == notify {
				continue
			}
			if port != 0 && port != other {
				t.Fatalf("more than one socket has joined such a group:\n%s", table)
			}
			port = other
		}
		return port != 0
	})
	return port
}

func TestKernelTutorialModuleSendsOnlyText(t *testing.T) {
	load(t, "GENLTEST_TUTORIAL_MODULE")
	f := run(t, "")
	eventually(t, "subscription", f.receiver.Subscribed)
	mustWrite(t, ping, "hello\n")
	mustWrite(t, ping, "emb\x00edded")
	l := f.lines(t, 2)
	if l[0].Message != "hello\n" || l[1].Message != "emb" {
		t.Errorf("messages %q, %q", l[0].Message, l[1].Message)
	}
	if l[0].KernelSeq != 0 || l[0].LoadID != "" || !l[0].KernelTime.IsZero() {
		t.Errorf("the event claims what the module does not say: %+v", l[0])
	}
	// The module takes the longest text that fits a page and makes the writer
	// repeat the rest.
	mustWrite(t, ping, strings.Repeat("y", 4096))
	if got := f.messages(t, 3)[2]; got != strings.Repeat("y", 4096) {
		t.Errorf("%d of 4096 bytes arrived", len(got))
	}
	eventually(t, "echo", func() bool { return f.metric(t, `genltestd_echo_probes_total{result="ok"}`) != "0" })
}

func TestKernelUnprivilegedDaemonWorksWithASmallerBuffer(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	if os.Getenv("GENLTEST_CHILD") == "1" {
		t.Skip("only as a child")
	}
	self := exec.Command("/proc/self/exe", "-test.run", "^TestChildWithoutPrivileges$", "-test.v")
	self.Env = append(os.Environ(), "GENLTEST_CHILD=1")
	self.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	pipe, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	buf := make([]byte, 1024)
	for told := false; ; {
		n, err := pipe.Read(buf)
		out.Write(buf[:n])
		if !told && strings.Contains(out.String(), "child is subscribed") {
			told = true
			mustWrite(t, ping, "for nobody")
		}
		if err == io.EOF {
			break
		}
	}
	if err := self.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// TestChildWithoutPrivileges is the other half of the test above.
func TestChildWithoutPrivileges(t *testing.T) {
	if os.Getenv("GENLTEST_CHILD") != "1" {
		t.Skip("runs as the child of another test")
	}
	if os.Geteuid() == 0 {
		t.Fatal("still root")
	}
	var log output
	cfg := config.Default(sinks.Kinds())
	cfg.HTTP.Listen = "127.0.0.1:0"
	f := launch(t, cfg, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	eventually(t, "subscription", f.receiver.Subscribed)
	fmt.Println("child is subscribed")
	if got := f.messages(t, 1); got[0] != "for nobody" {
		t.Errorf("messages %q", got)
	}
	eventually(t, "echo", func() bool { return f.metric(t, `genltestd_echo_probes_total{result="ok"}`) == "1" })
	if !strings.Contains(log.String(), "CAP_NET_ADMIN") {
		t.Errorf("the log does not say that the buffer is smaller:\n%s", log.String())
	}
}
