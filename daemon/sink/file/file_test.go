// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

func events(from, to int) []event.Event {
	var list []event.Event
	for i := from; i <= to; i++ {
		list = append(list, event.Event{JournalID: "j", Seq: uint64(i), Message: []byte("hello")})
	}
	return list
}

func open(t *testing.T, path string) *Sink {
	t.Helper()
	return openWith(t, Config{Path: path, Fsync: fsyncBatch}, sink.Env{})
}

func openWith(t *testing.T, c Config, env sink.Env) *Sink {
	t.Helper()
	c.Mode = 0o640
	if env.Encoder == nil {
		env.Encoder = event.JSON{}
	}
	s := New(&c, env)
	t.Cleanup(func() { s.Close() })
	return s
}

func deliver(t *testing.T, s *Sink, list []event.Event) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), list); n != len(list) || err != nil {
		t.Fatalf("accepted %d of %d: %v", n, len(list), err)
	}
}

// wantIDs checks that the file holds whole lines with these sequence numbers.
func wantIDs(t *testing.T, path string, seqs ...int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, s := range seqs {
		want = append(want, fmt.Sprintf(`{"id":"j-%d"`, s))
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "}\n") {
			t.Errorf("not a whole line: %q", line)
		}
		id, _, _ := strings.Cut(line, ",")
		got = append(got, id)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %v, want %v", path, got, want)
	}
}

func TestAppendsWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	deliver(t, s, events(1, 3))
	deliver(t, s, events(4, 4))
	wantIDs(t, path, 1, 2, 3, 4)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	deliver(t, open(t, path), events(5, 5))
	wantIDs(t, path, 1, 2, 3, 4, 5)
}

func TestReopensThePathAfterTheFileIsMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	deliver(t, s, events(1, 1))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, events(2, 2))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, events(3, 3))
	wantIDs(t, path+".1", 1)
	wantIDs(t, path, 3)
}

func TestRecoversWhenTheDirectoryIsRestored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	path := filepath.Join(dir, "events.jsonl")
	s := open(t, path)
	for i := range 2 {
		if n, err := s.Deliver(t.Context(), events(1, 1)); n != 0 || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("accepted %d, %v", n, err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		deliver(t, s, events(1, 1))
		wantIDs(t, path, 1)
		if i == 0 {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReopenClosesTheFileWithoutAnEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	s.Reopen() // nothing is open yet
	deliver(t, s, events(1, 1))
	s.Reopen()
	if s.target.file != nil {
		t.Error("the file is still open")
	}
	deliver(t, s, events(2, 2))
	wantIDs(t, path, 1, 2)
}

func TestReopenDuringDelivery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := openWith(t, Config{Path: path}, sink.Env{Position: filepath.Join(t.TempDir(), "position")})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				s.Reopen()
			}
		}
	}()
	var all []int
	for i := 1; i <= 300; i++ {
		deliver(t, s, events(i, i))
		all = append(all, i)
	}
	close(stop)
	<-done
	wantIDs(t, path, all...)
}

func TestSecondWriterIsRejected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	first, second := open(t, path), open(t, path)
	deliver(t, first, events(1, 1))
	if n, err := second.Deliver(t.Context(), events(2, 2)); n != 0 || !errors.Is(err, errInUse) {
		t.Errorf("accepted %d, %v", n, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	deliver(t, second, events(2, 2))
	wantIDs(t, path, 1, 2)
}

// This is the behaviour of logrotate's copytruncate: later lines are at the new end.
func TestAppendsToATruncatedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	deliver(t, s, events(1, 3))
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, events(4, 5))
	wantIDs(t, path, 4, 5)
}

func TestIncompleteLineIsTerminatedAtOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(`{"id":"j-0`), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, open(t, path), events(1, 1))
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "{\"id\":\"j-0\n{\"id\":\"j-1\"") {
		t.Errorf("file = %q, %v", text, err)
	}
}

func TestRejectsOtherFileTypes(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, part := range map[string]string{
		dir:                             "is a directory",
		fifo:                            "not a regular file",
		"/dev/null":                     "not a regular file",
		filepath.Join(dir, "no/events"): "no such file or directory",
	} {
		n, err := open(t, path).Deliver(t.Context(), events(1, 1))
		if err == nil || n != 0 {
			t.Errorf("%s was accepted", path)
			continue
		}
		if !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %q does not name the path and %q", path, err, part)
		}
	}
}

// TestFullDisk fills a tmpfs of its own and makes room again.
func TestFullDisk(t *testing.T) {
	dir := tmpfs.Mount(t, "size=64k")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 32<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "events.jsonl")
	s := openWith(t, Config{Path: path, Fsync: fsyncBatch}, sink.Env{Position: filepath.Join(t.TempDir(), "position")})
	const last = 600
	next, failures := 1, 0
	for next <= last {
		n, err := s.Deliver(t.Context(), events(next, min(next+9, last)))
		next += n
		if err == nil {
			continue
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		switch failures++; failures {
		case 3:
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		case 6:
			tmpfs.Remount(t, dir, 0, "size=1m")
		}
	}
	if failures < 6 {
		t.Fatalf("the disk was full %d times only: the test proves too little", failures)
	}
	all := make([]int, last)
	for i := range all {
		all[i] = i + 1
	}
	wantIDs(t, path, all...)
}
