// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const canary = "canary-4711"

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadsFromEverySource(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("TOKEN", canary)
	file := write(t, filepath.Join(dir, "token"), canary+"\r\n")
	for name, s := range map[string]Source{
		"inline": Inline(canary), "block": Inline(canary + "\n"), "file": File(file), "credential": Credential("token"), "env": Env("TOKEN"),
	} {
		if got, err := s.Read(); got != canary || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARotatedFileIsReadAnew(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "token"), "old")
	s := File(file)
	for _, want := range []string{"old", "new"} {
		write(t, file, want)
		if got, err := s.Read(); got != want || err != nil {
			t.Errorf("got %q, want %q; %v", got, want, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("EMPTY", "")
	in := func(name, text string) Source { return File(write(t, filepath.Join(dir, name), text)) }
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		s       Source
		want    string
		offline bool // Check finds it too
	}{
		{"no file", File(filepath.Join(dir, "none")), "no such file", true},
		{"directory", File(dir), "not a regular file", true},
		{"fifo", File(fifo), "not a regular file", true},
		{"no credential", Credential("none"), "no such file", false},
		{"no variable", Env("NONE"), "NONE is not set", false},
		{"empty variable", Env("EMPTY"), "EMPTY is empty", false},
		{"empty file", in("empty", "\n"), "is empty", true},
		{"two lines", in("lines", canary+"\nx: y\n"), "control character", true},
		{"NUL", Inline(canary + "\x00"), "control character", true},
		{"large", in("large", strings.Repeat(canary, maxBytes)), "larger than 65536 bytes", true},
	}
	for _, tt := range tests {
		watchdog := time.AfterFunc(20*time.Second, func() { panic(tt.name + " hangs") })
		_, err := tt.s.Read()
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err := tt.s.Check(); (err != nil) != tt.offline {
			t.Errorf("%s: Check says %v", tt.name, err)
		}
		watchdog.Stop()
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := Credential("token").Read(); err == nil || !strings.Contains(err.Error(), "LoadCredential=") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestPrintsNothing(t *testing.T) {
	s := Inline(canary)
	outer := struct{ Token, hidden Source }{s, s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "all", outer)
	text, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %v", s, s, s, s, s, s, s, &s, outer, outer, outer) + log.String() + string(text)
	if strings.Contains(all, canary) || strings.Contains(all, fmt.Sprintf("%x", canary)) {
		t.Errorf("shows the secret: %s", all)
	}
	if want := masked; s.String() != want || (Source{}).String() != "" {
		t.Errorf("got %q", s)
	}
}
