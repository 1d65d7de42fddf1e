// SPDX-License-Identifier: Apache-2.0

package config

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/file"
	"github.com/genltestd/genltestd/daemon/sink/stdout"
	"github.com/genltestd/genltestd/daemon/sinks"
)

var ignoreSource = cmpopts.IgnoreUnexported(Config{})

// Literal values, so that no default changes by accident.
func TestDefault(t *testing.T) {
	want := &Config{
		Families: []Family{{Name: "genltest"}},
		Receiver: Receiver{Buffer: 64 << 20},
		Echo:     Echo{Interval: value.Duration(30 * time.Second), Timeout: value.Duration(5 * time.Second)},
		Journal: Journal{
			MaxBytes: 1 << 30, Fsync: FsyncInterval, SyncInterval: value.Duration(100 * time.Millisecond),
			KeepRemovedSinks: value.Duration(24 * time.Hour),
		},
		HTTP:     HTTP{Listen: "127.0.0.1:9941"},
		Control:  Control{OperatorGroup: "genltestd"},
		Log:      Log{Level: LogLevel(slog.LevelInfo)},
		Shutdown: Shutdown{Drain: value.Duration(5 * time.Second)},
		Sinks: []Sink{{
			Name:           "stdout",
			Start:          StartOldest,
			Sample:         1,
			Dedup:          Dedup{Key: "message"},
			RateLimit:      RateLimit{Per: value.Duration(time.Second)},
			BatchEvents:    256,
			BatchBytes:     1 << 20,
			BatchWait:      value.Duration(50 * time.Millisecond),
			Workers:        1,
			AttemptTimeout: value.Duration(10 * time.Second),
			RetryMin:       value.Duration(100 * time.Millisecond),
			RetryMax:       value.Duration(30 * time.Second),
			Overflow:       OverflowDrop,
			DeadLetters:    DeadLetters{MaxBytes: 64 << 20, MaxAge: value.Duration(720 * time.Hour)},
			Envelope:       EnvelopeAuto,
			CloudEvents:    CloudEvents{Type: "com.github.genltestd", Mode: CloudEventsStructured},
			RFC5424:        RFC5424{Facility: "daemon", Severity: "info", AppName: "genltestd"},
			Kind:           "stdout", Config: &stdout.Config{},
		}},
	}
	if diff := cmp.Diff(want, Default(sinks.Kinds()), ignoreSource); diff != "" {
		t.Errorf("Default (-want +got):\n%s", diff)
	}
	if got := Default(sinks.Kinds()).Log.Level.Level(); got != slog.LevelInfo {
		t.Errorf("got level %v, want info", got)
	}
	if err := Default(sinks.Kinds()).Validate(); err != nil {
		t.Errorf("Default is not valid: %v", err)
	}
}

// A Config that a program has made can contain values that a file cannot.
func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *Config)
		want   []string
	}{
		{"unchanged", func(*Config) {}, nil},
		{"size", func(c *Config) { c.Journal.MaxBytes = -1 }, []string{"journal.max_bytes: ", "-1"}},
		{"level", func(c *Config) { c.Log.Level = 3 }, []string{"log.level: ", "not a log level"}},
		{"no sinks", func(c *Config) { c.Sinks = nil }, []string{"sinks: is empty"}},
		{"no kind", func(c *Config) { c.Sinks[0].Config = nil }, []string{"sinks[0]: has no kind"}},
		{"no fields", func(c *Config) { c.Sinks[0] = Sink{Kind: "file", Config: &file.Config{}} }, []string{
			"sinks[0].name: is missing",
			"sinks[0].batch_events: 0 is out of range",
			"sinks[0].retry_max: 0s is out of range",
			"sinks[0].file.path: is missing",
			"sinks[0].file.fsync: ",
		}},
		{"same name", func(c *Config) { c.Sinks = append(c.Sinks, c.Sinks[0]) }, []string{`sinks[1].name: "stdout" is taken by sinks[0]; give`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default(sinks.Kinds())
			tt.change(c)
			err := c.Validate()
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("got error %v, want %q", err, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q", err, want)
				}
			}
		})
	}
}
