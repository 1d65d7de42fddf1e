// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
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
	for name, s := range map[string]value.Secret{
		"inline": value.Inline(canary), "block": value.Inline(canary + "\n"), "file": {File: file}, "credential": {Credential: "token"},
		"env": {Env: "TOKEN"},
	} {
		if got, err := Read(s); got != canary || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, err := Check(s); got != canary || err != nil {
			t.Errorf("%s: Check = %q, %v", name, got, err)
		}
	}
}

func TestRotatedFileIsReadAgain(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "token"), "old")
	s := value.Secret{File: file}
	for _, want := range []string{"old", "new"} {
		write(t, file, want)
		if got, err := Read(s); got != want || err != nil {
			t.Errorf("got %q, want %q; %v", got, want, err)
		}
	}
}

func TestInvalidSourcesAreRejected(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("EMPTY", "")
	in := func(name, text string) value.Secret {
		return value.Secret{File: write(t, filepath.Join(dir, name), text)}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		s       value.Secret
		want    string
		checked bool // the service has the same error
	}{
		{"no file", value.Secret{File: filepath.Join(dir, "none")}, "no such file", true},
		{"directory", value.Secret{File: dir}, "not a regular file", true},
		{"fifo", value.Secret{File: fifo}, "not a regular file", true},
		{"no credential", value.Secret{Credential: "none"}, "LoadCredential=none:PATH", true},
		{"no variable", value.Secret{Env: "NONE"}, "NONE is not set", false},
		{"empty variable", value.Secret{Env: "EMPTY"}, "EMPTY is empty", false},
		{"empty file", in("empty", "\n"), "is empty", true},
		{"two lines", in("lines", canary+"\nx: y\n"), "control character", true},
		{"NUL", value.Inline(canary + "\x00"), "control character", true},
		{"large", in("large", strings.Repeat(canary, maxBytes)), "larger than 65536 bytes", true},
	}
	for _, tt := range tests {
		watchdog := time.AfterFunc(20*time.Second, func() { panic(tt.name + " hangs") })
		_, err := Read(tt.s)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if _, err := Check(tt.s); err == nil || errors.Is(err, ErrOutside) == tt.checked {
			t.Errorf("%s: Check = %v, outside %v", tt.name, err, errors.Is(err, ErrOutside))
		}
		watchdog.Stop()
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	c := value.Secret{Credential: "token"}
	_, checked := Check(c)
	if _, err := Read(c); err == nil || !strings.Contains(err.Error(), "LoadCredential=token:PATH") || !errors.Is(checked, ErrOutside) {
		t.Errorf("without credentials: %v; Check = %v", err, checked)
	}
}

func TestExposedFilesAreDetected(t *testing.T) {
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
			if got := Exposed(name); got != tt.want {
				t.Errorf("%s, %o in a directory %o: Exposed is %v", name, tt.file, tt.dir, got)
			}
		}
	}
	for _, file := range []string{"", filepath.Join(dir, "none")} {
		if Exposed(file) {
			t.Errorf("%q is exposed", file)
		}
	}
}
