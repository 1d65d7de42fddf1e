// SPDX-License-Identifier: Apache-2.0

// Package ratelog limits log lines that can repeat, such as one for each failed attempt.
//
// A Logger compares lines by kind. The kind of a line is its message together with the
// normalized form of its arguments. Normalizing ignores words that contain a digit, such as
// ports, request ids, counts and times. An error can add a distinction; see Distinct.
//
// The first line of a kind is logged at once. After that a kind is logged at most once a
// minute. At most five lines of one message are logged per minute, because texts of a server
// can vary in ways that the normalization does not recognize. The next logged line of the
// message contains the number of omitted lines: such_lines_left_out.
package ratelog

import (
	"cmp"
	"context"
	"log/slog"
)

// A Logger limits the lines of a slog.Logger. It is safe for concurrent use. Several Loggers
// limit their lines independently.
type Logger struct {
	log    *slog.Logger
	limits Limiter
}

// New returns a Logger that writes to log; nil discards.
func New(log *slog.Logger) *Logger { return &Logger{log: cmp.Or(log, slog.New(slog.DiscardHandler))} }

// Error logs a line at the level Error, unless it exceeds a limit. It reports whether the
// line was logged.
func (l *Logger) Error(msg string, args ...any) bool { return l.line(slog.LevelError, msg, args) }

// Warn is like Error with the level Warn.
func (l *Logger) Warn(msg string, args ...any) bool { return l.line(slog.LevelWarn, msg, args) }

// Resolved logs info at the level Info after the condition that lines with msg reported has
// ended, and calls Reset. It does nothing if no such line was logged since the last call,
// so that the log contains no end without a start.
func (l *Logger) Resolved(msg, info string, args ...any) {
	if l.limits.Resolve(msg) {
		l.log.Info(info, args...)
	}
}

// Reset makes the next line with msg appear at once, unless the limit of lines per message
// is reached. Call it when the condition that the lines report has ended.
func (l *Logger) Reset(msg string) { l.limits.Reset(msg) }

func (l *Logger) line(level slog.Level, msg string, args []any) bool {
	leftOut, ok := l.limits.Admit(msg, kindOf(args))
	if !ok {
		return false
	}
	l.log.Log(context.Background(), level, msg, append(args[:len(args):len(args)], LeftOut(leftOut)...)...)
	return true
}
