// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// output runs a script for one event and returns the text that it has written to the file
// $1.
func output(t *testing.T, config *Config, e event.Event) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out")
	writeFile(t, file, "")
	if config.User != "" {
		makeAccessible(t, file)
		if err := os.Chmod(file, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	config.Argv = append(config.Argv, file)
	if n, err := newEvents(config).Deliver(t.Context(), []event.Event{e}); n != 1 || err != nil {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExitStatusDecides(t *testing.T) {
	tests := []struct {
		name, script string
		accepted     int
		poisoned     int
		want         string // in the error
	}{
		{"accepted", "exit 0", 3, 0, ""},
		{"standard input is not read", "exec <&-", 3, 0, ""},
		{"temporary failure", "echo no >&2; exit 75", 0, 0, "/bin/sh: exit status 75: no"},
		{"permanent failure", "echo first >&2; printf 'last \\033[2J\\n\\n' >&2; exit 1", 0, 1, `/bin/sh: exit status 1: last \x1b[2J`},
		{"no such command", "exec no-such-program 2>&-", 0, 1, "/bin/sh: exit status 127"},
		{"killed", "kill -9 $$", 0, 0, "/bin/sh: signal: killed"},
		{"permanent failure of the second", `[ $GENLTEST_SEQ = 1 ] || exit 1`, 1, 1, "exit status 1"},
		{"temporary failure of the third", `[ $GENLTEST_SEQ != 3 ] || exit 75`, 2, 0, "exit status 75"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := newEvents(shell(tt.script)).Deliver(t.Context(), sinktest.Events(1, 3))
			if n != tt.accepted || sink.Poisoned(err) != tt.poisoned {
				t.Errorf("accepted %d events, %d poisoned: %v", n, sink.Poisoned(err), err)
			}
			if got := sink.RefusalOf(err); tt.poisoned > 0 &&
				(got.Kind != sink.RefusedExitStatus || !strings.Contains(tt.want, fmt.Sprintf("exit status %d", got.Status))) {
				t.Errorf("refusal %+v of %v", got, err)
			}
			if tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.want)) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestProgramThatCannotBeStartedIsRetried(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/empty", "")
	writeFile(t, dir+"/script", "#!/no/such/interpreter\n")
	for _, path := range []string{dir + "/missing", dir, dir + "/empty", dir + "/script"} {
		config := shell("")
		config.Argv = []string{path}
		for name, s := range map[string]sink.Sink{"events": newEvents(config), "stream": newStream(t, config)} {
			n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
			if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %s: accepted %d events: %v", name, path, n, err)
			}
		}
	}
}

func TestNoShellInterpretsArgumentsAndText(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "created")
	attack := "$(touch " + marker + ")`touch " + marker + "`; touch " + marker + " #"
	file := filepath.Join(t.TempDir(), "out")
	config := shell("")
	config.Argv = []string{"/usr/bin/tee", file, "--", "/dev/null/" + attack}
	e := sinktest.Events(1, 1)[0]
	e.Message = []byte(attack)
	if _, err := newEvents(config).Deliver(t.Context(), []event.Event{e}); !strings.Contains(err.Error(), "touch") {
		t.Errorf("tee did not receive the argument: %v", err)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a shell has run a part of an argument or a text")
	}
	text, err := os.ReadFile(file)
	if err != nil || sinktest.ParseJSON(t, text).Message != attack {
		t.Errorf("the text has become %s: %v", text, err)
	}
}

func TestProgramReceivesOnlyItsOwnEnvironment(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "WATCHDOG_USEC", "LISTEN_FDS", "HOME", "LD_PRELOAD_X"} {
		t.Setenv(name, "secret")
	}
	config := shell("")
	config.Argv = []string{"/bin/sh", "-c", `exec /usr/bin/env -0 >"$1"`, "sh"}
	config.Environment = []Variable{{"TARGET", "two\nlines"}, {"LANG", "C"}}
	e := sinktest.Events(1, 1)[0]
	e.Message = []byte("a\nGENLTEST_ID=forged\xff \x1b")
	e.Origin = &event.Origin{Labels: []event.Label{{Name: "large", Value: strings.Repeat("x", 200_000)}, {Name: "site", Value: "s"}}}
	got := map[string]string{}
	for _, variable := range strings.Split(strings.TrimSuffix(output(t, config, e), "\x00"), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	delete(got, "PWD") // the shell's
	delete(got, "OLDPWD")
	delete(got, "_")
	want := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "TARGET": "two\nlines",
		"GENLTEST_MESSAGE": `a\nGENLTEST_ID=forged\xff \x1b`, "GENLTEST_MESSAGE_BASE64": base64.StdEncoding.EncodeToString(e.Message),
		"GENLTEST_ID": e.ID(), "GENLTEST_SEQ": "1", "GENLTEST_KIND": "event",
		"GENLTEST_TIME": "2026-01-02T03:04:05.000000001Z", "GENLTEST_KERNEL_TIME": "2026-01-02T03:04:04.999000001Z",
		"GENLTEST_KERNEL_SEQ": "1", "GENLTEST_LOAD_ID": "0000000000000007",
		"GENLTEST_HOST": "web-1", "GENLTEST_FAMILY": "genltest", "GENLTEST_GROUP": "mcgrp", "GENLTEST_LABEL_SITE": "s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// running reports whether a process exists and is not a zombie.
func running(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// awaitPID waits until a program has written its process id to a file.
func awaitPID(t *testing.T, file string) (pid int) {
	t.Helper()
	poll.Until(t, "a line in "+file, func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			t.Fatal(err)
		}
		return true
	})
	return pid
}

func (p destination) awaitExit(t *testing.T) {
	t.Helper()
	pid := awaitPID(t, p.file())
	t.Cleanup(func() {
		if t.Failed() {
			unix.Kill(pid, unix.SIGKILL) // the test must not leave it running
		}
	})
	poll.Until(t, "the grandchild has exited", func() bool { return !running(t, pid) })
}

func TestTimeoutEndsTheWholeProcessGroup(t *testing.T) {
	const background = `sleep 1000 & echo $! >"$1"; `
	tests := []struct{ name, script, want string }{
		{"waits", background + "wait", "has not exited in time"},
		{"ignores SIGTERM", "trap '' TERM; " + background + "wait; wait", "has not exited in time"},
		{"reports success", "trap 'exit 0' TERM; " + background + "wait", "has not exited in time"},
		{"exits", background + "exit 0", ""},
		{"fails", background + "exit 75", "exit status 75"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newDestination(t)
			config := shell(tt.script, p.file())
			config.Timeout = value.Duration(300 * time.Millisecond)
			n, err := newEvents(config).Deliver(t.Context(), sinktest.Events(1, 1))
			if (tt.want == "") != (err == nil) || err != nil &&
				(n != 0 || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("accepted %d events: %v, want %q", n, err, tt.want)
			}
			p.awaitExit(t)
		})
	}
}

func TestCancelledContextEndsPrograms(t *testing.T) {
	for name, s := range map[string]func(*Config) sink.Sink{
		"events": func(config *Config) sink.Sink { return newEvents(config) },
		"stream": func(config *Config) sink.Sink { return newStream(t, config) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newDestination(t)
			s := s(shell(`sleep 1000 & echo $! >"$1"; wait`, p.file()))
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				awaitPID(t, p.file())
				cancel()
			}()
			n, err := s.Deliver(ctx, sinktest.Events(1, 2))
			if n != 0 || !errors.Is(err, context.Canceled) || sink.Poisoned(err) > 0 {
				t.Errorf("accepted %d events: %v", n, err)
			}
			p.awaitExit(t)
		})
	}
}

// A process that has left the group is not terminated, but does not block the sink.
func TestDetachedProcessDoesNotBlockTheSink(t *testing.T) {
	p := newDestination(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n, err := newEvents(shell(`setsid sleep 1000 & echo $! >"$1"`, p.file())).Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 {
			t.Errorf("accepted %d events: %v", n, err)
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("the sink waits for a process that has left the group")
	}
	unix.Kill(awaitPID(t, p.file()), unix.SIGKILL) // the process may not have left the group yet
}

// Three programs run concurrently: the first fails, and the sink stores that the others
// have accepted their events.
func TestEventsAcceptedOutOfOrderAreNotRunAgain(t *testing.T) {
	p := newDestination(t)
	config := shell(`echo $GENLTEST_SEQ >>"$2"; [ $GENLTEST_SEQ != 1 ] || [ ! -e "$1" ] || { sleep 0.2; exit 75; }`, p.broken(), p.file())
	config.Concurrency = 3
	s := newEvents(config)
	p.Break(t)
	events := sinktest.Events(1, 3)
	if n, err := s.Deliver(t.Context(), events); n != 0 || err == nil {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	p.Repair(t)
	if n, err := s.Deliver(t.Context(), events); n != 3 || err != nil {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	text, err := os.ReadFile(p.file())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(text)); len(got) != 4 || got[3] != "1" {
		t.Errorf("ran for the events %v, want the first one twice", got)
	}
	if len(s.early) != 0 {
		t.Errorf("still stores %v", s.early)
	}
}

func TestNoProgramStartsWithoutTimeToFinish(t *testing.T) {
	p := newDestination(t)
	config := shell(`echo $GENLTEST_SEQ >>"$1"`, p.file())
	config.Timeout = value.Duration(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := newEvents(config).Deliver(ctx, sinktest.Events(1, 3))
	if n != 1 || !errors.Is(err, errNoTime) {
		t.Errorf("accepted %d events: %v", n, err)
	}
	if text, err := os.ReadFile(p.file()); string(text) != "1\n" {
		t.Errorf("ran for the events %q: %v", text, err)
	}
}

type failingEncoder struct{ event.JSON }

func (failingEncoder) Append(dst []byte, e *event.Event) ([]byte, error) {
	if e.Seq == 2 {
		return dst, errors.New("no such field")
	}
	return e.AppendJSON(dst), nil
}

func TestOnlyTheUnencodableEventIsRejected(t *testing.T) {
	p := newDestination(t)
	env := sink.Env{Encoder: failingEncoder{}}
	stream := NewStream(shell(appendLines, p.broken(), p.file()), env)
	defer stream.Close()
	for name, s := range map[string]sink.Sink{"events": NewEvents(shell(appendEvent, p.broken(), p.file()), env), "stream": stream} {
		n, err := s.Deliver(t.Context(), sinktest.Events(1, 3))
		if n != 1 || sink.Poisoned(err) != 1 {
			t.Errorf("%s: accepted %d events, %d poisoned: %v", name, n, sink.Poisoned(err), err)
		}
		if n, err := s.Deliver(t.Context(), sinktest.Events(3, 1)); n != 1 {
			t.Errorf("%s: accepted %d events after it: %v", name, n, err)
		}
	}
}
