// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/json"
	"errors"
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
			t.Errorf("%s: Check = %v", name, err)
		}
	}
}

func TestARotatedFileIsReadAgain(t *testing.T) {
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
		checked bool // the service has the same error
	}{
		{"no file", File(filepath.Join(dir, "none")), "no such file", true},
		{"directory", File(dir), "not a regular file", true},
		{"fifo", File(fifo), "not a regular file", true},
		{"no credential", Credential("none"), "LoadCredential=none:PATH", true},
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
		if err := tt.s.Check(); err == nil || errors.Is(err, ErrOutside) == tt.checked {
			t.Errorf("%s: Check = %v, outside %v", tt.name, err, errors.Is(err, ErrOutside))
		}
		watchdog.Stop()
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	c := Credential("token")
	if _, err := c.Read(); err == nil || !strings.Contains(err.Error(), "LoadCredential=token:PATH") || !errors.Is(c.Check(), ErrOutside) {
		t.Errorf("without credentials: %v; Check = %v", err, c.Check())
	}
}

func TestExposed(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "token"), canary)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir, file os.FileMode
		want      bool
	}{{0o755, 0o644, true}, {0o711, 0o604, true}, {0o755, 0o640, false}, {0o700, 0o644, false}, {0o750, 0o666, false}} {
		// By default the directory of the test is not searchable by others.
		for dir, mode := range map[string]os.FileMode{dir: tt.dir, path: tt.file, filepath.Dir(dir): 0o755} {
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{path, link} {
			if got := File(name).Exposed(); got != tt.want {
				t.Errorf("%s, %o in a directory %o: Exposed is %v", name, tt.file, tt.dir, got)
			}
		}
	}
	for _, s := range []Source{{}, Inline(canary), Credential("token"), Env("TOKEN"), File(filepath.Join(dir, "none"))} {
		if s.Exposed() {
			t.Errorf("%q is exposed", s)
		}
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
	if want := "<secret>"; s.String() != want || (Source{}).String() != "" {
		t.Errorf("got %q", s)
	}
}
