// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// LogLevel is a slog.Level that reads debug, info, warn or error.
type LogLevel slog.Level

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

var _ slog.Leveler = LogLevel(0)

// Level makes LogLevel a slog.Leveler.
func (l LogLevel) Level() slog.Level { return slog.Level(l) }

// UnmarshalText refuses slog's own "INFO" and "info+2": one spelling each.
func (l *LogLevel) UnmarshalText(text []byte) error {
	level, ok := logLevels[string(text)]
	if !ok {
		return &wordError{string(text), "is not a log level", []string{"debug", "info", "warn", "error"}}
	}
	*l = LogLevel(level)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (l LogLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// FileMode is the permission bits of a file; it reads "0640".
type FileMode fs.FileMode

// UnmarshalText reads octal digits, whatever YAML takes them for.
func (m *FileMode) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := strconv.ParseUint(s, 8, 32)
	if err != nil || len(s) < 3 || len(s) > 4 || v > 0o777 {
		return fmt.Errorf("%s is not a file mode; write three octal digits after a 0, like 0640", quote(s))
	}
	*m = FileMode(v)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// oneOf sets a word that must be one of a closed list. Its error is a wordError.
func oneOf[T ~string](to *T, text []byte, words ...T) error {
	if slices.Contains(words, T(text)) {
		*to = T(text)
		return nil
	}
	refusal := &wordError{text: string(text), fault: "is not known"}
	for _, w := range words {
		refusal.words = append(refusal.words, string(w))
	}
	return refusal
}

// A wordError refuses a text, and names all the words that are taken.
type wordError struct {
	text, fault string
	words       []string
}

func (e *wordError) Error() string {
	last := len(e.words) - 1
	return fmt.Sprintf("%s %s; write %s or %s", quote(e.text), e.fault, strings.Join(e.words[:last], ", "), e.words[last])
}

// JournalFsync says when the journal is forced to disk.
type JournalFsync string

const (
	// JournalFsyncInterval forces it within an interval, all batches of that time
	// together.
	JournalFsyncInterval JournalFsync = "interval"
	// JournalFsyncAlways forces each batch before the next is received.
	JournalFsyncAlways JournalFsync = "always"
	// JournalFsyncNever leaves it to the kernel.
	JournalFsyncNever JournalFsync = "never"
)

// UnmarshalText refuses what is none of the constants.
func (f *JournalFsync) UnmarshalText(text []byte) error {
	return oneOf(f, text, JournalFsyncInterval, JournalFsyncAlways, JournalFsyncNever)
}

// MarshalText is the inverse of UnmarshalText.
func (f JournalFsync) MarshalText() ([]byte, error) { return []byte(f), nil }

// Start says where a new sink begins.
type Start string

const (
	// StartOldest begins with the oldest event in the journal.
	StartOldest Start = "oldest"
	// StartNow begins with the next event that is received.
	StartNow Start = "now"
)

// UnmarshalText refuses what is none of the constants.
func (w *Start) UnmarshalText(text []byte) error { return oneOf(w, text, StartOldest, StartNow) }

// MarshalText is the inverse of UnmarshalText.
func (w Start) MarshalText() ([]byte, error) { return []byte(w), nil }

// Overflow says what happens to events that a sink has not taken when the journal
// is full.
type Overflow string

const (
	// OverflowDrop drops the oldest.
	OverflowDrop Overflow = "drop"
	// OverflowBlock keeps them: then the journal takes no more.
	OverflowBlock Overflow = "block"
)

// UnmarshalText refuses what is none of the constants.
func (o *Overflow) UnmarshalText(text []byte) error {
	return oneOf(o, text, OverflowDrop, OverflowBlock)
}

// MarshalText is the inverse of UnmarshalText.
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o), nil }
