// SPDX-License-Identifier: Apache-2.0

// Package liblog redirects the log lines of libraries to the daemon's logger.
//
// A library that writes to the standard logger or to slog's default logger does not mask
// secrets. For example, net/http prints unsolicited responses, and a hostile server can send
// the token of the request. Therefore only the calling function is logged, never the text.
// Each function is logged at most once a minute, with the number of omitted lines, because
// a server could cause one line per request.
package liblog

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ratelog"
)

// Capture redirects the standard logger and slog's default logger of the process to l,
// until restore is called. It must not be called concurrently.
func Capture(l *slog.Logger) (restore func()) {
	before, flags, prefix := slog.Default(), log.Flags(), log.Prefix()
	h := &handler{limits: new(ratelog.Limiter), log: l}
	slog.SetDefault(slog.New(h)) // also changes the standard logger
	log.SetOutput(&writer{limits: h.limits, write: h.write})
	log.SetFlags(0)
	log.SetPrefix("")
	return func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
		log.SetPrefix(prefix)
	}
}

// New returns a logger for a library that logs only about clients of the daemon, which
// receive no secrets. It logs the texts at the level, with the same limit as Capture.
func New(l *slog.Logger, level slog.Level) *log.Logger {
	return log.New(&writer{limits: new(ratelog.Limiter), write: func(_ string, text []byte, leftOut int) {
		l.Log(context.Background(), level, string(event.AppendVisible(nil, text)), ratelog.LeftOut(leftOut)...)
	}}, "", 0)
}

// handler implements Capture for slog.
type handler struct {
	limits *ratelog.Limiter
	log    *slog.Logger
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	if leftOut, ok := h.limits.Admit(frame.Function, ""); ok {
		h.write(frame.Function, nil, leftOut)
	}
	return nil
}

func (h *handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *handler) WithGroup(string) slog.Handler      { return h }

func (h *handler) write(function string, _ []byte, leftOut int) {
	h.log.Warn("a library logged a line; its text is omitted because it may contain a secret",
		append([]any{"function", function}, ratelog.LeftOut(leftOut)...)...)
}

// writer is the output of a standard logger. The logger calls Write once for each line, in
// the goroutine that logs it.
type writer struct {
	limits *ratelog.Limiter
	write  func(function string, text []byte, leftOut int)
}

var _ io.Writer = (*writer)(nil)

func (w *writer) Write(p []byte) (int, error) {
	function := caller()
	if leftOut, ok := w.limits.Admit(function, ""); ok {
		w.write(function, []byte(strings.TrimSpace(string(p))), leftOut)
	}
	return len(p), nil
}

// caller returns the function that called the standard logger.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // skips Callers, caller and Write
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "log.") && frame.Function != "" || !more {
			return frame.Function
		}
	}
}
