// SPDX-License-Identifier: Apache-2.0

// Package ratelog limits log lines that may repeat, such as one for each failed attempt.
//
// A Logger compares lines by kind. The kind of a line is its message together with the
// normalized form of its arguments: words that contain a digit, such as ports, request ids,
// counts and times, do not distinguish lines. An error may add what distinguishes it, see
// Distinct.
//
// The first line of a kind is logged at once. After that a kind is logged at most once a
// minute, and at most five lines of one message are logged in any minute, because texts of
// the other side may vary in ways that no normalization recognizes. The next line of
// the message that is logged tells how many were left out: such_lines_left_out.
package ratelog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	interval = time.Minute // between two lines of a kind
	burst    = 5           // lines of a message in an interval
)

// A Logger limits lines. It is safe for concurrent use. Loggers limit independently of
// each other.
type Logger struct {
	log *slog.Logger

	mu       sync.Mutex
	messages map[string]*message
}

// A message is what is remembered of the lines with one message. Messages are constants
// of the program, so there are few.
type message struct {
	shown   []shown // in the last interval, at most burst
	leftOut int     // since the last line that was logged
	told    bool    // a line was logged since the last call of Over
}

type shown struct {
	kind string
	at   time.Time
	over bool // it does not keep another line of its kind from being logged
}

// New returns a Logger that writes to log.
func New(log *slog.Logger) *Logger {
	return &Logger{log: log, messages: make(map[string]*message)}
}

// Error logs a line at this level, unless it is to be left out, and reports whether it did.
func (l *Logger) Error(msg string, args ...any) bool { return l.line(slog.LevelError, msg, args) }

// Warn is like Error.
func (l *Logger) Warn(msg string, args ...any) bool { return l.line(slog.LevelWarn, msg, args) }

// Over logs, as information, that what the lines with the message told is over, with the
// text of info, and calls Forget. It does nothing when no such line was logged since the
// last call: the log must not tell of the end of what it has not told.
func (l *Logger) Over(msg, info string, args ...any) {
	l.mu.Lock()
	m := l.messages[msg]
	told := m != nil && m.told
	if told {
		m.told = false
	}
	l.mu.Unlock()
	if told {
		l.log.Info(info, args...)
		l.Forget(msg)
	}
}

// Forget has the next line with the message logged at once, as far as the number of its
// lines allows: what the last ones told is over.
func (l *Logger) Forget(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.messages[msg]; m != nil {
		for i := range m.shown {
			m.shown[i].over = true
		}
	}
}

func (l *Logger) line(level slog.Level, msg string, args []any) bool {
	leftOut, ok := l.admit(msg, kindOf(args), time.Now())
	if !ok {
		return false
	}
	if leftOut > 0 {
		args = append(args[:len(args):len(args)], "such_lines_left_out", leftOut)
	}
	l.log.Log(context.Background(), level, msg, args...)
	return true
}

// admit reports whether a line is to be logged, and how many were left out before it.
func (l *Logger) admit(msg, kind string, now time.Time) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.messages[msg]
	if m == nil {
		m = &message{}
		l.messages[msg] = m
	}
	if !m.admits(kind, now) {
		m.leftOut++
		return 0, false
	}
	m.shown = append(m.shown, shown{kind: kind, at: now})
	m.told = true
	leftOut, m.leftOut = m.leftOut, 0
	return leftOut, true
}

func (m *message) admits(kind string, now time.Time) bool {
	recent := m.shown[:0]
	known := false
	for _, s := range m.shown {
		if now.Sub(s.at) < interval {
			recent = append(recent, s)
			known = known || s.kind == kind && !s.over
		}
	}
	m.shown = recent
	return !known && len(recent) < burst
}
