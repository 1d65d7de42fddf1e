// SPDX-License-Identifier: Apache-2.0

// Package liblog has libraries log through the daemon's logger.
//
// A library that writes to the standard logger or to slog's default one knows nothing of
// secrets: net/http prints what a server sends without being asked, and a hostile server
// sends the request's token. So of such a line the place in the library is logged, and
// never the text. Each place is logged at most once a minute, with the number of lines
// that were left out: a server could have one logged for each request.
package liblog

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// Capture routes the standard logger and slog's default one to l, for the whole process,
// until restore is called.
func Capture(l *slog.Logger) (restore func()) {
	before, flags, prefix := slog.Default(), log.Flags(), log.Prefix()
	places := newPlaces()
	h := &handler{places: places, log: l}
	slog.SetDefault(slog.New(h)) // which sets the standard logger too
	log.SetOutput(&writer{places: places, write: h.write})
	log.SetFlags(0)
	log.SetPrefix("")
	return func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
		log.SetPrefix(prefix)
	}
}

// New returns a logger for a library that is given one and logs about clients of ours, who
// are sent no secret. The lines are logged at the level, as often as those of Capture.
func New(l *slog.Logger, level slog.Level) *log.Logger {
	return log.New(&writer{places: newPlaces(), write: func(_ string, text []byte, omitted int) {
		l.Log(context.Background(), level, string(event.AppendVisible(nil, text)), leftOut(omitted)...)
	}}, "", 0)
}

// handler is slog's side of Capture.
type handler struct {
	places *places
	log    *slog.Logger
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
	if omitted, ok := h.places.turn(frame.Function); ok {
		h.write(frame.Function, nil, omitted)
	}
	return nil
}

func (h *handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *handler) WithGroup(string) slog.Handler      { return h }

func (h *handler) write(function string, _ []byte, omitted int) {
	h.log.Warn("a library has logged something; the text is left out because it may repeat a secret",
		append([]any{"function", function}, leftOut(omitted)...)...)
}

func leftOut(omitted int) []any {
	if omitted == 0 {
		return nil
	}
	return []any{"such_lines_left_out", omitted}
}

// writer is the output of a standard logger. Each Write is one line, in the goroutine that
// logs it.
type writer struct {
	places *places
	write  func(function string, text []byte, omitted int)
}

var _ io.Writer = (*writer)(nil)

func (w *writer) Write(p []byte) (int, error) {
	function := caller()
	if omitted, ok := w.places.turn(function); ok {
		w.write(function, []byte(strings.TrimSpace(string(p))), omitted)
	}
	return len(p), nil
}

// caller returns the function that has called the standard logger.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // behind Callers, caller and Write
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "log.") && frame.Function != "" || !more {
			return frame.Function
		}
	}
}

// interval is how often one place is logged.
const interval = time.Minute

// places are the functions that have logged, of which a program has not many.
type places struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[string]*place
}

type place struct {
	last    time.Time
	omitted int
}

func newPlaces() *places { return &places{now: time.Now, seen: make(map[string]*place)} }

// turn reports whether a line of a function is to be logged, and how many were not since
// the last one.
func (p *places) turn(function string) (omitted int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	at := p.seen[function]
	if at == nil {
		p.seen[function] = &place{last: now}
		return 0, true
	}
	if now.Sub(at.last) < interval {
		at.omitted++
		return 0, false
	}
	omitted, at.last, at.omitted = at.omitted, now, 0
	return omitted, true
}
