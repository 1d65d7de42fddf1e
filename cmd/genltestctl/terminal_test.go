// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
)

// terminal returns both ends of a new terminal of that width.
func terminal(t *testing.T, width uint16) (pty, tty *os.File) {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(pty.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: width})
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pty, tty
}

func TestTableFitsTheTerminal(t *testing.T) {
	const width = 80
	socket := serve(t, newFakeDaemon())
	pty, tty := terminal(t, width)
	defer pty.Close()
	cmd := cmdtest.Command(t, "--socket", socket, "dlq", "list", "hook")
	cmd.Stdout = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	io.Copy(&shown, pty) // it ends with EIO
	lines := strings.Split(strings.TrimSpace(shown.String()), "\r\n")
	if len(lines) != 5 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > width || strings.Contains(line, "\x1b") {
			t.Errorf("%d characters: %q", n, line)
		}
	}
}

func TestDropRequiresConfirmation(t *testing.T) {
	for answer, dropped := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "\x04": false} {
		s := newFakeDaemon()
		socket := serve(t, s)
		pty, tty := terminal(t, 80)
		if _, err := pty.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		cmd := cmdtest.Command(t, "--socket", socket, "dlq", "drop", "hook", "--all")
		cmd.Stdin = tty
		code, _, stderr := cmdtest.Run(t, cmd)
		const question = "Permanently delete all dead letters of sink hook? [y/N]"
		if (len(s.requests) == 1) != dropped || (code == 0) != dropped || !strings.Contains(stderr, question) {
			t.Errorf("%q: status %d, requests %q, printed %q", answer, code, s.requests, stderr)
		}
		pty.Close()
		tty.Close()
	}
}
