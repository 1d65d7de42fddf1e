// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/messages"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// logTo calls use with a logger for a file, and returns the contents of the file. journal
// sets whether the file is the journal's stream, and socket is that of journald.
func logTo(t *testing.T, journal bool, socket string, use func(*slog.Logger)) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if !journal {
		st.Ino++
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	use(newLogger(f, slog.LevelDebug, socket))
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A journald is a socket that receives entries.
type journald struct{ *net.UnixConn }

func listenAsJournald(t *testing.T, socket string) journald {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return journald{conn}
}

// entry returns the next entry, which can be in a file.
func (j journald) entry(t *testing.T) map[string]string {
	t.Helper()
	data, rights := make([]byte, 1<<20), make([]byte, unix.CmsgSpace(4))
	n, rightsSize, _, _, err := j.ReadMsgUnix(data, rights)
	if err != nil {
		t.Fatal(err)
	}
	if rightsSize == 0 {
		return sinktest.ParseEntry(t, data[:n])
	}
	control, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "entry")
	defer f.Close()
	size, err := f.ReadAt(data, 0)
	if size == 0 {
		t.Fatal(err)
	}
	return sinktest.ParseEntry(t, data[:size])
}

func TestLogLinesAreEntriesOfTheJournal(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	j := listenAsJournald(t, socket)
	const failed = "delivery failed; will try again until it succeeds"
	long := strings.Repeat("long\n", 60_000)
	stream := logTo(t, true, socket, func(log *slog.Logger) {
		log = log.With("component", "delivery", "sink", "hook")
		log.Error(failed, "error", errors.New("no\nMESSAGE_ID=forged\n"), "Try-Ünd", 3) //nolint:revive // a forged line
		log.WithGroup("g").Debug("a", "k", "v w", slog.Group("h", "i", 1))
		log.Warn("configuration: x: y")
		log.Info("no id", "text", long)
	})
	for _, want := range []map[string]string{
		{
			"PRIORITY": "3", "MESSAGE_ID": messages.ID(failed),
			"MESSAGE":         `msg="` + failed + `" component=delivery sink=hook error="no\nMESSAGE_ID=forged\n" Try-Ünd=3`,
			"GENLTESTD_ERROR": "no\nMESSAGE_ID=forged\n", "GENLTESTD_TRY__ND": "3",
		},
		{
			"PRIORITY": "7", "MESSAGE": `msg=a component=delivery sink=hook g.k="v w" g.h.i=1`,
			"GENLTESTD_G_K": "v w", "GENLTESTD_G_H_I": "1",
		},
		{
			"PRIORITY": "4", "MESSAGE_ID": messages.ID("configuration"),
			"MESSAGE": `msg="configuration: x: y" component=delivery sink=hook`,
		},
		{
			"PRIORITY": "6", "GENLTESTD_TEXT": long,
			"MESSAGE": `msg="no id" component=delivery sink=hook text="` + strings.ReplaceAll(long, "\n", `\n`) + `"`,
		},
	} {
		want["SYSLOG_IDENTIFIER"], want["GENLTESTD_COMPONENT"], want["GENLTESTD_SINK"] = "genltestd", "delivery", "hook"
		if diff := cmp.Diff(want, j.entry(t)); diff != "" {
			t.Errorf("entry (-want +got):\n%.1500s", diff)
		}
	}
	if stream != "" {
		t.Errorf("lines on the stream:\n%.1000s", stream)
	}
}

// No line is lost while journald is absent, and entries are sent again when it is present.
func TestLinesGoToTheStreamWhileJournaldIsAbsent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	got := logTo(t, true, socket, func(log *slog.Logger) {
		log = log.With("component", "x")
		log.Debug("a")
		first := listenAsJournald(t, socket)
		log.Debug("b")
		if e := first.entry(t); e["MESSAGE"] != "msg=b component=x" {
			t.Errorf("entry %q", e)
		}
		first.Close()
		log.Error("d\ne\x1b[2J")
		if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		second := listenAsJournald(t, socket)
		log.Warn("f")
		if e := second.entry(t); e["MESSAGE"] != "msg=f component=x" {
			t.Errorf("entry %q", e)
		}
	})
	if want := "<7>msg=a component=x\n<3>msg=\"d\\ne\\x1b[2J\" component=x\n"; got != want {
		t.Errorf("stream\n%q, want\n%q", got, want)
	}
}

func TestLogLinesForATerminal(t *testing.T) {
	got := logTo(t, false, "", func(log *slog.Logger) { log.Warn("c") })
	if !strings.Contains(got, "level=WARN msg=c") || !strings.HasPrefix(got, "time=") {
		t.Errorf("log %q", got)
	}
}
