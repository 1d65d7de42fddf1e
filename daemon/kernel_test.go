// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package daemon

import (
	"bytes"
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
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
	"github.com/genltestd/genltestd/packaging/vm/sysfs"
)

// These tests run the whole daemon in one process on the real module. A runner
// that boots a VM sets GENLTEST_MODULE and the other names; see packaging/vm.

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
		t.Error("an escape sequence reached the sink unchanged")
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
	poll.Until(t, "three answers", func() bool {
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
	poll.Until(t, "subscription", f.subscribed)
	mustWrite(t, ping, "hello")
	if got := f.messages(t, 1); got[0] != "hello" {
		t.Errorf("messages %q", got)
	}
	poll.Until(t, "readiness", func() bool { code, _ := f.get(t, "/readyz"); return code == 200 })
}

func TestKernelModuleReloadedWhileTheDaemonRuns(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	loads := map[string]bool{}
	const rounds = 20
	for i := range rounds {
		poll.Until(t, "subscription", f.subscribed)
		mustWrite(t, ping, fmt.Sprintf("round %d", i))
		l := f.lines(t, i+1)[i]
		if l.Message != fmt.Sprintf("round %d", i) {
			t.Fatalf("message %q in round %d", l.Message, i)
		}
		loads[l.LoadID] = true
		unload(t)
		poll.Until(t, "the module is unloaded", func() bool { return !f.subscribed() })
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

func TestKernelOverrunIsCountedExactly(t *testing.T) {
	for round := range soak(1, 20) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			load(t, "GENLTEST_MODULE")
			f := run(t, "receiver: {buffer: 256KiB}\n")
			const events = 200_000
			mustWrite(t, burst, fmt.Sprintf("%d x", events))
			// No event follows the burst: events that were lost at its end count too.
			poll.Until(t, "received + lost equals sent", func() bool { _, _, sum := f.account(t); return sum >= events })
			received, lost, sum := f.account(t)
			if sum != events || lost["kernel_buffer"] != sum-received || lost["kernel_buffer"] == 0 {
				t.Fatalf("received %d + lost %v, sent %d", received, lost, events)
			}
			t.Logf("received %d, lost %v", received, lost)
			f.inOrder(t, f.lines(t, int(received)))
			want := map[string]uint64{"kernel_buffer": events - received}
			poll.Until(t, "the sink has the gaps", func() bool { return cmp.Equal(f.gaps(t), want) })
			// The numbers of the next events must not count the loss again.
			mustWrite(t, ping, "after")
			f.lines(t, int(received)+1)
			if again, lost, sum := f.account(t); sum != events+1 {
				t.Errorf("after one more event: received %d + lost %v, sent %d", again, lost, events+1)
			}
		})
	}
}

func TestKernelReloadLosesNoEvents(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	poll.Until(t, "subscription", f.subscribed)
	sent := 0
	for round := range soak(30, 100) {
		if round%4 == 3 {
			unloadModule(t, "team") // frees a lower group number
		}
		unload(t)
		poll.Until(t, "the module is unloaded", func() bool { return !f.subscribed() })
		if round%4 == 1 {
			load(t, "GENLTEST_FOREIGN_MODULE") // uses the freed number
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

// The test does not wait for the daemon, which must count the events that it misses.
func TestKernelRapidReloadIsCountedExactly(t *testing.T) {
	load(t, "GENLTEST_MODULE")
	f := run(t, "")
	poll.Until(t, "subscription", f.subscribed)
	sent := uint64(0)
	for round := range soak(30, 100) {
		unload(t)
		load(t, "GENLTEST_MODULE")
		mustWrite(t, burst, "180 x")
		// The next received event shows the missing numbers before it.
		poll.Until(t, "the daemon has detected the load", func() bool {
			return f.metric(t, "genltestd_family_registrations_total") == fmt.Sprint(round+2)
		})
		mustWrite(t, ping, "last")
		sent += 181
		poll.Until(t, "received + lost equals sent", func() bool { _, _, sum := f.account(t); return sum >= sent })
	}
	received, lost, sum := f.account(t)
	if sum != sent || lost["unexplained"] != 0 {
		t.Errorf("received %d + lost %v, sent %d", received, lost, sent)
	}
	t.Logf("received %d, lost %v", received, lost)
}

func TestKernelEventsBeforeTheStartAreCounted(t *testing.T) {
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

func TestKernelForgedAndForeignMessagesAreRejected(t *testing.T) {
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
	forged := kernelmsg.EventOf(f.reception.States()[0].ID, kernelmsg.Text("fake"))
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: eventPort(t)}
	for _, data := range [][]byte{forged, []byte("garbage"), bytes.Repeat([]byte{0xff}, 9000)} {
		if err := unix.Sendto(fd, data, 0, to); err != nil {
			t.Fatal(err)
		}
	}
	poll.Until(t, "refusals", func() bool { return f.metric(t, `genltestd_messages_refused_total{reason="sender"}`) == "3" })
	mustWrite(t, ping, "real")
	if diff := cmp.Diff([]string{"real"}, f.messages(t, 1)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestKernelTutorialModuleSendsOnlyText(t *testing.T) {
	load(t, "GENLTEST_TUTORIAL_MODULE")
	f := run(t, "")
	poll.Until(t, "subscription", f.subscribed)
	mustWrite(t, ping, "hello\n")
	mustWrite(t, ping, "emb\x00edded")
	l := f.lines(t, 2)
	if l[0].Message != "hello\n" || l[1].Message != "emb" {
		t.Errorf("messages %q, %q", l[0].Message, l[1].Message)
	}
	if l[0].KernelSeq != 0 || l[0].LoadID != "" || !l[0].KernelTime.IsZero() {
		t.Errorf("the event contains values that the module does not send: %+v", l[0])
	}
	// The module accepts the longest text that fits a page. The writer must write the rest
	// again.
	mustWrite(t, ping, strings.Repeat("y", 4096))
	if got := f.messages(t, 3)[2]; got != strings.Repeat("y", 4096) {
		t.Errorf("%d of 4096 bytes arrived", len(got))
	}
	poll.Until(t, "echo", func() bool { return f.metric(t, `genltestd_echo_probes_total{result="ok"}`) != "0" })
}

func TestKernelUnprivilegedDaemonUsesASmallerBuffer(t *testing.T) {
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
	for written := false; ; {
		n, err := pipe.Read(buf)
		out.Write(buf[:n])
		if !written && strings.Contains(out.String(), "child is subscribed") {
			written = true
			mustWrite(t, ping, "for the child")
		}
		if err == io.EOF {
			break
		}
	}
	if err := self.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// TestChildWithoutPrivileges runs in the child of the test above.
func TestChildWithoutPrivileges(t *testing.T) {
	if os.Getenv("GENLTEST_CHILD") != "1" {
		t.Skip("runs as the child of another test")
	}
	if os.Geteuid() == 0 {
		t.Fatal("still root")
	}
	var log syncbuffer.Buffer
	cfg := config.Default(sinks.Kinds())
	cfg.HTTP.Listen = "127.0.0.1:0"
	f := launch(t, cfg, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	poll.Until(t, "subscription", f.subscribed)
	fmt.Println("child is subscribed")
	if got := f.messages(t, 1); got[0] != "for the child" {
		t.Errorf("messages %q", got)
	}
	poll.Until(t, "echo", func() bool { return f.metric(t, `genltestd_echo_probes_total{result="ok"}`) == "1" })
	if !strings.Contains(log.String(), "CAP_NET_ADMIN") {
		t.Errorf("the log does not report the smaller buffer:\n%s", log.String())
	}
}
