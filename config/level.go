// SPDX-License-Identifier: Apache-2.0

package config

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
)

// LogLevel is a slog.Level that is written as debug, info, warn or error.
type LogLevel slog.Level

var _ slog.Leveler = LogLevel(0)

// Level implements slog.Leveler.
func (l LogLevel) Level() slog.Level { return slog.Level(l) }

func levelWords() []string { return []string{"debug", "info", "warn", "error"} }

// UnmarshalText rejects the spellings "INFO" and "info+2" of slog.
func (l *LogLevel) UnmarshalText(text []byte) error {
	var level slog.Level
	if !slices.Contains(levelWords(), string(text)) || level.UnmarshalText(text) != nil {
		return &strict.WordError{Text: string(text), Fault: "is not a log level", Words: levelWords()}
	}
	*l = LogLevel(level)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (l LogLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// String returns the word.
func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// Describe implements strict.Described.
func (LogLevel) Describe() strict.Description {
	return strict.Description{Type: "word", Words: levelWords()}
}
