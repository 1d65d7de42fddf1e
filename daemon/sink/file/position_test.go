// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/statefile"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// The disk may be full of the journal, which only delivery makes smaller.
func TestDeliveryContinuesWithoutDiskSpaceForThePosition(t *testing.T) {
	for name, exists := range map[string]bool{"no file": false, "a file": true} {
		t.Run(name, func(t *testing.T) {
			dir, path := tmpfs.Mount(t, "size=64k,nr_inodes=4"), filepath.Join(t.TempDir(), "events.jsonl")
			position, log := filepath.Join(dir, "sinks", "position"), &bytes.Buffer{}
			config, env := Config{Path: path}, sink.Env{Position: position, Log: slog.New(slog.NewTextHandler(log, nil))}
			next := 1
			if exists {
				s := openWith(t, config, env)
				deliver(t, s, events(1, 10))
				s.Close()
				next = 11
			} else if err := os.Mkdir(filepath.Dir(position), 0o700); err != nil {
				t.Fatal(err)
			}
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil && !isFull(err) {
				t.Fatal(err)
			}
			if !exists { // no inode either
				if err := os.WriteFile(filepath.Join(dir, "another"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := openWith(t, config, env)
			for ; next < 5000; next += 1200 { // more than is reserved
				deliver(t, s, events(next, next+1199))
			}
			if !strings.Contains(log.String(), "the disk is full, so the position file cannot be written") {
				t.Errorf("the log lacks the change: %s", log)
			}
			if err := os.RemoveAll(ballast); err != nil {
				t.Fatal(err)
			}
			tmpfs.Remount(t, dir, 0, "size=1m,nr_inodes=8")
			deliver(t, s, events(next, next+9))
			if !strings.Contains(log.String(), "room for the position file again") {
				t.Errorf("the log lacks the change: %s", log)
			}
			s.Close()
			// The next process skips the events of the last note.
			s = openWith(t, config, env)
			deliver(t, s, events(next, next+9))
			all := make([]int, next+9)
			for i := range all {
				all[i] = i + 1
			}
			wantIDs(t, path, all...)
		})
	}
}

func TestPositionOfAnotherFileTypeIsAnError(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"too large": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, statefile.MaxBytes+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			position := filepath.Join(dir, "position")
			if err := make(position); err != nil {
				t.Fatal(err)
			}
			s := openWith(t, Config{Path: filepath.Join(dir, "events.jsonl")}, sink.Env{Position: position})
			if n, err := s.Deliver(t.Context(), events(1, 1)); n != 0 || err == nil || !strings.Contains(err.Error(), position) {
				t.Errorf("%d, %v, want the path", n, err)
			}
			if err := os.RemoveAll(position); err != nil {
				t.Fatal(err)
			}
			deliver(t, s, events(1, 1))
		})
	}
}
