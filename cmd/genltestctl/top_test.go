// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// viewOf returns a view after some updates of a degraded daemon.
func viewOf() *topView {
	v := &topView{interval: time.Second}
	for i := range uint64(12) {
		st := degradedStatus()
		st.Time = st.Time.Add(time.Duration(i) * time.Second)
		st.Families[0].Received += 150 * i
		st.Sinks[0].Delivered += 10 * i * i
		st.Sinks[0].Latency = latency(50*i, 80*i, 100*i, 100*i)
		st.Sinks[1].Failures += i
		st.Sinks[1].Dropped = map[string]uint64{"journal_limit": 5 + 2*i}
		v.update(reading{status: st}, error.Error)
	}
	return v
}

func TestTopFitsTheScreen(t *testing.T) {
	for _, size := range [][2]int{{40, 24}, {80, 24}, {132, 24}, {80, 10}, {20, 3}, {1, 1}} {
		lines := viewOf().lines(size[0], size[1])
		if len(lines) != size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > size[0] {
				t.Errorf("%v: %d characters: %q", size, n, line)
			}
		}
		if size[1] == 24 {
			golden(t, fmt.Sprintf("top-%d", size[0]), strings.Join(lines, "\n")+"\n")
		}
	}
}

func TestTopKeys(t *testing.T) {
	screenOf := func(v *topView) string { return strings.Join(v.lines(100, 24), "\n") }
	press := func(v *topView, keys string) (end bool) {
		for _, key := range withoutSequences([]byte(keys)) {
			end = v.press(key)
		}
		return end
	}
	v := viewOf()
	press(v, "\x1b[A") // an arrow
	if press(v, "/hoo\x7fo\n"); strings.Contains(screenOf(v), "archive") || !strings.Contains(screenOf(v), "hook") {
		t.Errorf("filter:\n%s", screenOf(v))
	}
	if press(v, "\x1b"); !strings.Contains(screenOf(v), "archive") {
		t.Errorf("without the filter:\n%s", screenOf(v))
	}
	press(v, "s") // by the age of the oldest event
	if shown := screenOf(v); strings.Index(shown, "\nstuck") > strings.Index(shown, "\nhook") {
		t.Errorf("sorted:\n%s", shown)
	}
	press(v, "p")
	v.update(reading{err: errors.New("gone")}, error.Error)
	if shown := screenOf(v); strings.Contains(shown, "gone") || !strings.Contains(shown, "PAUSED") {
		t.Errorf("paused:\n%s", shown)
	}
	press(v, "p")
	if v.update(reading{err: errors.New("gone")}, error.Error); !strings.Contains(screenOf(v), "× gone; the command connects again") {
		t.Errorf("without a daemon:\n%s", screenOf(v))
	}
	if press(v, "/q\n") || !press(v, "q") {
		t.Error("q ends the program while the filter is typed, or does not end it afterwards")
	}
}

// A liveTop is a running top on a terminal.
type liveTop struct {
	pty, tty *os.File
	shown    syncbuffer.Buffer
	process  *os.Process
	exited   chan int
}

func startTop(t *testing.T, socket string) *liveTop {
	t.Helper()
	l := &liveTop{exited: make(chan int, 1)}
	l.pty, l.tty = terminal(t, 80)
	t.Cleanup(func() { l.pty.Close(); l.tty.Close() })
	cmd := cmdtest.Command(t, "top", "-d", "100ms", "--socket", socket)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.tty, l.tty, l.tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.process = cmd.Process
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := l.pty.Read(b)
			if err != nil {
				return
			}
			l.shown.Write(b[:n])
		}
	}()
	go func() { _ = cmd.Wait(); l.exited <- cmd.ProcessState.ExitCode() }()
	l.wait(t, "BEHIND")
	return l
}

// wait waits until the terminal has received a text.
func (l *liveTop) wait(t *testing.T, text string) {
	t.Helper()
	poll.Until(t, text, func() bool { return strings.Contains(l.shown.String(), text) })
}

// echoes reports whether the terminal is in its usual mode.
func (l *liveTop) echoes(t *testing.T) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(l.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0 && settings.Lflag&unix.ICANON != 0
}

func TestTopRestoresTheTerminal(t *testing.T) {
	socket := serveStatus(t, degradedStatus())
	for name, end := range map[string]func(*liveTop){
		"q":       func(l *liveTop) { l.pty.WriteString("q") },
		"SIGTERM": func(l *liveTop) { l.process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(l *liveTop) { l.process.Signal(syscall.SIGINT) },
		"SIGQUIT": func(l *liveTop) { l.process.Signal(syscall.SIGQUIT) },
	} {
		l := startTop(t, socket)
		if l.echoes(t) {
			t.Errorf("%s: the terminal echoes keys while top runs", name)
		}
		end(l)
		if code := <-l.exited; code != 0 {
			t.Errorf("%s: exit status %d", name, code)
		}
		if !l.echoes(t) {
			t.Errorf("%s: the terminal does not echo keys afterwards", name)
		}
		l.wait(t, leaveScreen)
	}
}

func TestTopStopsAndContinues(t *testing.T) {
	l := startTop(t, serveStatus(t, degradedStatus()))
	l.process.Signal(syscall.SIGTSTP)
	poll.Until(t, "the usual mode of the terminal", func() bool { return l.echoes(t) })
	poll.Until(t, "the stopped process", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.process.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	l.process.Signal(syscall.SIGCONT)
	poll.Until(t, "the screen", func() bool { return !l.echoes(t) })
	l.pty.WriteString("q")
	if code := <-l.exited; code != 0 {
		t.Errorf("exit status %d", code)
	}
	// The process may end before the test has read its output.
	poll.Until(t, "two screens", func() bool { return strings.Count(l.shown.String(), enterScreen) == 2 })
}

func TestTopFollowsTheSizeOfTheTerminal(t *testing.T) {
	l := startTop(t, serveStatus(t, degradedStatus()))
	if err := unix.IoctlSetWinsize(int(l.pty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 8, Col: 60}); err != nil {
		t.Fatal(err)
	}
	l.process.Signal(syscall.SIGWINCH) // the terminal is not that of the process
	l.wait(t, "lines more: enlarge")
	l.pty.WriteString("q")
	<-l.exited
}

func TestTopConnectsAgain(t *testing.T) {
	socket := serveStatus(t, healthyStatus())
	l := startTop(t, socket)
	if err := os.Rename(socket, socket+".away"); err != nil {
		t.Fatal(err)
	}
	l.wait(t, "no daemon listens")
	if err := os.Rename(socket+".away", socket); err != nil {
		t.Fatal(err)
	}
	before := strings.Count(l.shown.String(), "genltestd is healthy")
	poll.Until(t, "the daemon again", func() bool { return strings.Count(l.shown.String(), "genltestd is healthy") > before })
	l.pty.WriteString("q")
	<-l.exited
}

func TestTopAsJSON(t *testing.T) {
	socket := serveStatus(t, degradedStatus())
	code, stdout, stderr := execute(t, "top", "-o", "json", "-n", "2", "-d", "100ms", "--socket", socket)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != 2 {
		t.Fatalf("exit status %d, %q, %q", code, stdout, stderr)
	}
	for _, line := range lines {
		var got loadForm
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Bottleneck.Stage != "sink" || len(got.Sinks) != 3 {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func TestTopRequiresATerminal(t *testing.T) {
	if code, _, stderr := execute(t, "top"); code != exitUsage || !strings.Contains(stderr, "top requires a terminal; use -o json") {
		t.Errorf("exit status %d, %q", code, stderr)
	}
}

func TestSparkline(t *testing.T) {
	for want, rates := range map[string][]float64{"": nil, "▁▁": {0, 0}, "▁▅█": {0, 4, 7}, "▄█": {9, 3, 7}} {
		if got := sparkline(rates, 3-strings.Count(want, "▄")); got != want {
			t.Errorf("%v: got %s, want %s", rates, got, want)
		}
	}
}
