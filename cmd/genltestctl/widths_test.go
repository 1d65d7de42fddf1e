// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// everyCommand are the commands whose output does not depend on the machine.
func everyCommand() [][]string {
	return [][]string{
		{"status"},
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
var uncut = []string{"config", "dlq show", "sink"}

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
	s := &session{out: tty, err: errs, output: outputText, openController: func() (controller, error) { return hostileFamily(), nil }}
	code = s.run(append([]string{"--socket", socket}, args...))
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return code, strings.ReplaceAll(<-output, "\r\n", "\n"), content(t, errs)
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
