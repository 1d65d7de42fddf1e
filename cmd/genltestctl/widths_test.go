// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/event"
)

// everyCommand are the commands whose output does not depend on the machine.
func everyCommand() [][]string {
	return [][]string{
		{"status"},
		{"canary", "--wait", "0s"},
		{"canary"},
		{"config", "show"},
		{"config", "diff"},
		{"log-level"},
		{"log-level", "debug"},
		{"journal", "stat"},
		{"tail", "--no-follow"},
		{"tail", "--no-follow", "--filter", "wrong"},
		{"explain", "17"},
		{"explain", "17", "--filter", "message contains \"disk\""},
		{"explain", "18"},
		{"family", "list"},
		{"family", "show", "nlctrl"},
		{"family", "show", hostile},
		{"family", "show", "nlctrll"},
		{"dlq", "list"},
		{"dlq", "list", "hook"},
		{"dlq", "list", "archive"},
		{"dlq", "list", "nobody"},
		{"dlq", "show", "hook", "6a9155caa46c7dcc-2"},
		{"dlq", "replay", "hook", "--all"},
		{"dlq", "drop", "hook", "--all", "--yes"},
		{"sink", "pause", "hook"},
		{"sink", "resume", "hook"},
		{"sink", "resume", "archive"},
		{"sink", "retry", "hook"},
		{"sink", "retry", "none"},
		{"sink", "skip", "hook", "--yes"},
		{"sink", "test", "hook"},
		{"sink", "test", "archive"},
		{"sink", "test", "pager"},
		{"sink", "test", "slow"},
		{"sink", "test", "none"},
		{"reload"},
	}
}

// uncut are the commands whose lines are not fitted to the terminal, because they contain values that a reader
// copies.
var uncut = []string{"config", "dlq show", "echo", "sink", "support"}

// onWidth runs a command on a terminal of that width, in this process.
func onWidth(t *testing.T, width uint16, socket string, args []string) (code int, shown, stderr string) {
	t.Helper()
	pty, tty := terminal(t, width)
	defer pty.Close()
	errs := tempFile(t)
	output := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		io.Copy(&all, pty) // it ends with EIO
		output <- all.String()
	}()
	s := &session{out: tty, err: errs, output: outputText, pingFile: os.DevNull}
	s.openController = func() (controller, error) { return hostileFamily(), nil }
	code = s.run(append([]string{"--socket", socket}, args...))
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return code, strings.ReplaceAll(<-output, "\r\n", "\n"), content(t, errs)
}

// ofMachine are the commands whose output depends on the machine, with an output that does not.
func ofMachine() map[string]func(*session) error {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	var attributes event.ObjectBuilder
	attributes.Reset()
	attributes.Uint("ifindex", 2)
	attributes.Text("dev-name", []byte("eth0 "+hostile))
	attributes.Uint("xdp-features", 127)
	missing := []supportPartForm{{Name: "status.json", Bytes: 17}, {Name: "log.txt", Error: "none"}, {Name: "unit.txt", Error: "none"}}
	return map[string]func(*session) error{
		"listen": func(s *session) error {
			l := listener{session: s, out: s.writer()}
			for _, e := range []event.Event{
				{Time: at, Family: "genltest", Group: "mcgrp", Message: []byte("disk full\n")},
				{Time: at, Family: "genltest", Group: "mcgrp", Message: []byte("disk sda has failed, and is replaced by sdb: " + hostile)},
				{Time: at, Family: "netdev", Group: "mgmt", Content: &event.Content{Command: "dev-add-ntf", Attributes: attributes.Object()}},
			} {
				if err := l.print(&e); err != nil {
					return err
				}
			}
			return l.out.flush()
		},
		"echo": func(s *session) error {
			return s.showReply(echoForm{"Hello from Kernel Space, Netlink!" + hostile, 0.000213})
		},
		"support": func(s *session) error {
			form := supportForm{"genltestd-support-20260102T030405Z.tar.gz", 14 << 10, missing}
			return errors.Join(s.showSupport(&supportForm{form.File, form.Bytes, missing[:1]}), s.showSupport(&form))
		},
	}
}

// shownOn calls show with a session on a terminal of that width, and returns the output.
func shownOn(t *testing.T, width uint16, show func(*session) error) string {
	t.Helper()
	pty, tty := terminal(t, width)
	defer pty.Close()
	output := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		io.Copy(&all, pty) // it ends with EIO
		output <- all.String()
	}()
	if err := errors.Join(show(&session{out: tty, output: outputText}), tty.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(<-output, "\r\n", "\n")
}

// lastScreen returns the last screen in the output of top.
func lastScreen(t *testing.T, output string) string {
	t.Helper()
	screens := strings.Split(output, home)
	last, rest, left := strings.Cut(screens[len(screens)-1], eraseBelow)
	if !strings.HasPrefix(output, enterScreen) || !left || rest != leaveScreen {
		t.Errorf("the output of top begins with %q and ends with %q", output[:min(len(output), 20)], rest)
	}
	return strings.NewReplacer(eraseLine, "", "\r", "").Replace(last) + "\n"
}

// TestCommandsOfTheMachineOnTerminals compares the output of the other commands with the golden file of each width.
func TestCommandsOfTheMachineOnTerminals(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	socket := serveStatus(t, degradedStatus())
	for _, width := range []uint16{40, 80, 132} {
		shows := ofMachine()
		shows["top"] = func(s *session) error {
			cmd := cmdtest.Command(t, "top", "-n", "1", "--socket", socket)
			cmd.Stdin, cmd.Stdout = s.out, s.out
			return cmd.Run()
		}
		var all strings.Builder
		for _, name := range slices.Sorted(maps.Keys(shows)) {
			shown := shownOn(t, width, shows[name])
			if name == "top" {
				shown = lastScreen(t, shown)
			}
			fmt.Fprintf(&all, "$ genltestctl %s\n%s\n", name, shown)
			if text := strings.ReplaceAll(shown, "\n", ""); !event.IsVisible(text) {
				t.Errorf("%s: the output is not safe on a terminal: %q", name, text)
			}
			for line := range strings.Lines(shown) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > int(width) && !isUncut(name) {
					t.Errorf("%s: %d characters on a terminal of %d: %q", name, n, width, line)
				}
			}
		}
		golden(t, fmt.Sprintf("machine-%d", width), all.String())
	}
}

// TestEveryCommandOnTerminals compares the output of the commands with the golden file of each width.
func TestEveryCommandOnTerminals(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	for _, width := range []uint16{40, 80, 132} {
		daemon := &supportDaemon{newFakeDaemon(), degradedStatus()}
		daemon.config, daemon.files = "log:\n  level: info\n", "log:\n  level: \x1b[2Jdebug\n"
		socket := serve(t, daemon)
		var all strings.Builder
		for _, args := range everyCommand() {
			name := visible(strings.Join(args, " "))
			code, shown, stderr := onWidth(t, width, socket, args)
			fmt.Fprintf(&all, "$ genltestctl %s\n%s", name, shown)
			if stderr != "" {
				fmt.Fprintf(&all, "standard error:\n%s", stderr)
			}
			fmt.Fprintf(&all, "exit status %d\n\n", code)
			if text := strings.ReplaceAll(shown+stderr, "\n", ""); !event.IsVisible(text) {
				t.Errorf("%s: the output is not safe on a terminal: %q", name, text)
			}
			for line := range strings.Lines(shown) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > int(width) && !isUncut(name) {
					t.Errorf("%s: %d characters on a terminal of %d: %q", name, n, width, line)
				}
			}
		}
		golden(t, fmt.Sprintf("terminal-%d", width), all.String())
	}
}

func isUncut(command string) bool {
	for _, prefix := range uncut {
		if strings.HasPrefix(command, prefix) {
			return true
		}
	}
	return false
}
