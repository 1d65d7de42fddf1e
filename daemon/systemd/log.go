// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/systemd/entry"
)

// NewLogger returns a logger for f. If f is a stream to the journal, each line becomes an entry
// with fields; see journalHandler. Otherwise lines are in slog's text format.
func NewLogger(f *os.File, level slog.Leveler) *slog.Logger { return newLogger(f, level, entry.Socket) }

func newLogger(f *os.File, level slog.Leveler, socket string) *slog.Logger {
	if isJournalStream(f) {
		return slog.New(newJournalHandler(&journal{socket: socket, stream: f}, level))
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level}))
}

// isJournalStream reports whether f is the stream in $JOURNAL_STREAM: systemd sets it to the
// device and inode of the stream that it connected (systemd.exec(5)).
func isJournalStream(f *os.File) bool {
	dev, ino, ok := strings.Cut(os.Getenv("JOURNAL_STREAM"), ":")
	var st unix.Stat_t
	if !ok || unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return dev == strconv.FormatUint(st.Dev, 10) && ino == strconv.FormatUint(st.Ino, 10)
}
