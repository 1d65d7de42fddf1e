// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func singleEvent() event.Event { return sinktest.Events(1, 1)[0] }

// markInheritedCloseOnExec prevents the children of the test from inheriting descriptors of its parent.
func markInheritedCloseOnExec(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

func TestProgramInheritsNoDescriptor(t *testing.T) {
	markInheritedCloseOnExec(t)
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stream := newStream(t, shell(appendLines, "", "/dev/null"))
	if n, err := stream.Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	got := output(t, shell(`ls /proc/$$/fd >"$1"`), singleEvent())
	// The shell itself keeps the output that it replaces, as 10.
	if want := "0\n1\n2\n"; strings.Replace(got, "10\n", "", 1) != want {
		t.Errorf("the program has the descriptors\n%s, want 0, 1 and 2", got)
	}
}

// Signals that the daemon catches, including a broken pipe, have their default action in
// programs.
func TestProgramHasDefaultSignals(t *testing.T) {
	got := output(t, shell(`cat /proc/self/status >"$1"`), singleEvent())
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	// The parent of the test may ignore some.
	if blocked, ignored, caught := signalSet(t, got, "SigBlk"), signalSet(t, got, "SigIgn"), signalSet(t, got, "SigCgt"); blocked != 0 ||
		ignored&^signalSet(t, string(own), "SigIgn") != 0 || caught != 0 {
		t.Errorf("signals of the program:\n%s", got)
	}
}

// signalSet reads a set of signals, a bit each.
func signalSet(t *testing.T, status, name string) (set uint64) {
	t.Helper()
	_, rest, _ := strings.Cut(status, "\n"+name+":")
	if _, err := fmt.Sscanf(rest, "%x", &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestProgramLeadsItsOwnProcessGroup(t *testing.T) {
	var pid, group int
	text := output(t, shell(`cut -d ' ' -f 1,5 /proc/$$/stat >"$1"`), singleEvent())
	if _, err := fmt.Sscan(text, &pid, &group); err != nil || pid != group {
		t.Errorf("process %d of group %d: %v", pid, group, err)
	}
}

func TestLimits(t *testing.T) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &own); err != nil {
		t.Fatal(err)
	}
	// The program waits for the last limit, which exceeds the limit of the test.
	last := fmt.Sprintf("Max processes  *%[1]d  *%[1]d ", min(own.Max, 1<<40))
	config := shell(`until grep -q 'open files  *64 ' /proc/$$/limits && grep -q "$1" /proc/$$/limits; do sleep 0.01; done
		cat /proc/$$/limits >"$2"`, last)
	config.Limits = Limits{Memory: 1 << 30, CPU: value.Duration(30 * time.Second), Files: 64, Processes: 1 << 40}
	got := output(t, config, singleEvent())
	for name, value := range map[string]string{"Max address space": "1073741824", "Max cpu time": "30", "Max open files": "64"} {
		if !regexp.MustCompile(name + ` +` + value + ` +` + value + ` `).MatchString(got) {
			t.Errorf("%s is not %s:\n%s", name, value, got)
		}
	}
}

func TestProgramThatExceedsItsLimitsFails(t *testing.T) {
	config := shell(`while :; do :; done`)
	config.Limits.CPU, config.Timeout = value.Duration(time.Second), value.Duration(time.Minute)
	n, err := newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1))
	if n != 0 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("accepted %d events: %v", n, err)
	}
}

func TestProgramRunsAsConfiguredUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become another user")
	}
	config := shell(`grep -E '^(Uid|Gid|Groups|CapEff|CapAmb)' /proc/self/status >"$1"`)
	config.User = "nobody"
	got := output(t, config, singleEvent())
	want := regexp.MustCompile(`^Uid:(\t65534){4}\nGid:(\t65534){4}\nGroups:\t65534 ?\nCapEff:\t0+\nCapAmb:\t0+\n$`)
	if !want.MatchString(got) {
		t.Errorf("rights of the program:\n%s", got)
	}
}

// asService runs fn with the privileges of the unit's user: only capabilities such as
// "+net_admin", which its children would inherit.
func asService(t *testing.T, capabilities string, fn func(t *testing.T)) {
	const inside = "EXEC_TEST_AS_SERVICE"
	if os.Getenv(inside) != "" {
		fn(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root may become another user")
	}
	binary := filepath.Join(t.TempDir(), "test") // a directory that other users cannot read
	copyFile(t, os.Args[0], binary)
	makeAccessible(t, binary)
	cmd := osexec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
		"--inh-caps=-all,"+capabilities, "--ambient-caps=-all,"+capabilities, "--bounding-set=-all,"+capabilities,
		binary, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env, cmd.Dir = append(os.Environ(), inside+"=1"), "/"
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as the service: %v\n%s", err, out)
	}
}

// makeAccessible lets other users reach a file of the test.
func makeAccessible(t *testing.T, file string) {
	t.Helper()
	for dir := filepath.Dir(file); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestProgramInheritsNoCapability(t *testing.T) {
	asService(t, "+net_admin", func(t *testing.T) {
		own, err := os.ReadFile("/proc/self/status")
		if err != nil || !strings.Contains(string(own), "CapAmb:\t0000000000001000") {
			t.Fatalf("the test lacks the capability of the service: %v\n%s", err, own)
		}
		got := output(t, shell(`grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status >"$1"`), singleEvent())
		if !regexp.MustCompile(`CapPrm:\t0+\nCapEff:\t0+\nCapAmb:\t0+\n$`).MatchString(got) {
			t.Errorf("capabilities of the program:\n%s", got)
		}
		if own, err = os.ReadFile("/proc/self/status"); err != nil || !strings.Contains(string(own), "CapEff:\t0000000000001000") {
			t.Errorf("the daemon has lost its capabilities: %v\n%s", err, own)
		}
	})
}

func TestMissingPrivilegeToChangeUserIsReported(t *testing.T) {
	asService(t, "+net_admin", func(t *testing.T) {
		config := shell("exit 0")
		config.User = "root"
		n, err := newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1))
		if n != 0 || sink.Poisoned(err) > 0 || !strings.Contains(fmt.Sprint(err), "the daemon needs CAP_SETUID and CAP_SETGID") {
			t.Errorf("accepted %d events: %v", n, err)
		}
		config.User = "nobody" // the current user
		if n, err := newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 {
			t.Errorf("accepted %d events: %v", n, err)
		}
	})
}

// The sink must not wait for a process that it cannot terminate.
func TestSinkDoesNotWaitForAProgramItCannotKill(t *testing.T) {
	asService(t, "+setuid,+setgid", func(t *testing.T) {
		config := shell("exec sleep 3")
		config.User, config.Timeout = "daemon", value.Duration(200*time.Millisecond)
		n, err := newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1))
		if n != 0 || sink.Poisoned(err) > 0 || !errors.Is(err, errNoExit) || !strings.Contains(err.Error(), "CAP_KILL") {
			t.Errorf("accepted %d events: %v", n, err)
		}
		config.Limits.Files = 64
		n, err = newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1))
		if n != 0 || !strings.Contains(fmt.Sprint(err), "CAP_SYS_RESOURCE") {
			t.Errorf("accepted %d events: %v", n, err)
		}
	})
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/program", "#!/bin/sh\n")
	writeFile(t, dir+"/text", "")
	if err := os.Chmod(dir+"/text", 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path, user string
		want       string
	}{
		{dir + "/program", "", ""},
		{dir + "/program", "root", ""},
		{dir + "/missing", "", "exec.argv[0]: stat " + dir + "/missing: no such file or directory"},
		{dir + "/program -c x", "", "exec.argv[0]: has a program and its arguments in one text; write each as an entry of its own: [" +
			dir + "/program, ...]"},
		{dir, "", "exec.argv[0]: " + dir + " is not a file"},
		{dir + "/text", "no-such-user", "exec.argv[0]: " + dir +
			"/text is not executable; chmod +x it\nexec.user: user: unknown user no-such-user"},
	}
	for _, tt := range tests {
		got := ""
		if err := (&Config{Argv: []string{tt.path}, User: tt.user}).Verify(nil); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s as %q:  got %q, want %q", tt.path, tt.user, got, tt.want)
		}
	}
}

// A configuration whose argv could not be read can have other faults.
func TestVerifyWithoutProgram(t *testing.T) {
	err := (&Config{User: "no-such-user"}).Verify(nil)
	if want := "exec.user: user: unknown user no-such-user"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestOutOfMemoryKillerPrefersThePrograms is about a machine whose memory is exhausted.
func TestOutOfMemoryKillerPrefersThePrograms(t *testing.T) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	const wait = `for i in $(seq 100); do read -r score </proc/self/oom_score_adj; [ "$score" = 1000 ] && break; sleep 0.1; done
		echo "$score" >"$1"`
	if got := output(t, shell(wait), sinktest.Events(1, 1)[0]); got != "1000\n" {
		t.Errorf("the program has the score %q", got)
	}
	if now, err := os.ReadFile("/proc/self/oom_score_adj"); err != nil || string(now) != string(own) {
		t.Errorf("the daemon's own score has become %q, %v", now, err)
	}
}
