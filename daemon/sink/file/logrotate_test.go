// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

var logrotateBlock = regexp.MustCompile(`(?ms)^/var/log/genltestd/\*\.jsonl \{\n.*?^\}\n`)

// documented returns the configuration that docs/sinks/file.md shows, for the files
// and the process of this test.
func documented(t *testing.T, dir string) string {
	t.Helper()
	text := logrotateBlock.FindString(read(t, "../../../docs/sinks/file.md"))
	for old, now := range map[string]string{
		"/var/log/genltestd": dir,
		"systemctl kill --signal=HUP --kill-whom=main genltestd.service": fmt.Sprintf("kill -HUP %d", os.Getpid()),
		"su genltestd genltestd": "su root root",
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the page's example has no %q:\n%s", old, text)
		}
		text = strings.Replace(text, old, now, 1)
	}
	return text
}

// The real logrotate renames the files while events flow.
func TestLogrotate(t *testing.T) {
	sinktest.Program(t, "logrotate")
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("needs root")
	}
	for name, change := range map[string]func(string) string{
		"as documented": func(text string) string { return text },
		"create":        func(text string) string { return strings.Replace(text, "nocreate", "create 0600 root root", 1) },
		"no signal": func(text string) string {
			return regexp.MustCompile(`(?s)postrotate.*endscript`).ReplaceAllString(text, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			last := deliverDuring(t, dir, func() { rotateByLogrotate(t, dir, change(documented(t, dir)), 6) })
			if got, want := readIDs(t, dir), seqs(1, last); cmp.Diff(want, got) != "" {
				t.Errorf("ids (-want +got):\n%s", cmp.Diff(want, got))
			}
			if _, err := os.Stat(filepath.Join(dir, "events.jsonl.6.gz")); err != nil {
				t.Errorf("logrotate has not rotated and compressed: %v", err)
			}
		})
	}
	// Lines are lost between logrotate's copy and its truncation, but no line is garbled.
	t.Run("copytruncate", func(t *testing.T) {
		dir := t.TempDir()
		deliverDuring(t, dir, func() {
			rotateByLogrotate(t, dir, strings.Replace(documented(t, dir), "nocreate", "copytruncate", 1), 6)
		})
		last := 0
		for _, id := range readIDs(t, dir) {
			if id <= last {
				t.Fatalf("event %d follows %d", id, last)
			}
			last = id
		}
	})
}

func rotateByLogrotate(t *testing.T, dir, config string, times int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logrotate.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for range times {
		if out, err := exec.Command(sinktest.Program(t, "logrotate"), "--force", "--state", path+".state",
			path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for { // until there are events to rotate
			if info, err := os.Stat(filepath.Join(dir, "events.jsonl")); err == nil && info.Size() > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// deliverDuring delivers events, and answers SIGHUP as the daemon does, until do has
// returned. It returns the number of the last event.
func deliverDuring(t *testing.T, dir string, do func()) (last int) {
	t.Helper()
	s := openWith(t, Config{Path: filepath.Join(dir, "events.jsonl")}, sink.Env{Position: filepath.Join(dir, "position")})
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	next := func() {
		if n, err := s.Deliver(t.Context(), events(last+1, last+5)); n != 5 || err != nil {
			t.Errorf("accepted %d, %v", n, err)
		}
		last += 5
	}
	next()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			next()
			time.Sleep(100 * time.Microsecond)
		}
	}()
	go func() {
		for {
			select {
			case <-hangup:
				s.Reopen()
			case <-done:
				return
			}
		}
	}()
	do()
	cancel()
	<-done
	return last
}

// readIDs returns the numbers of the events in logrotate's files, the oldest first. If the
// sink creates a file between logrotate's rename and its own create, logrotate renames
// that file to a name that ends in .backup and does not show its position.
func readIDs(t *testing.T, dir string) (ids []int) {
	t.Helper()
	out, err := exec.Command("sh", "-c", `cd "$1" && for i in 9 8 7 6 5 4 3 2 1; do
		if [ -e events.jsonl.$i.gz ]; then zcat events.jsonl.$i.gz; fi
		if [ -e events.jsonl.$i ]; then cat events.jsonl.$i; fi
	done && if [ -e events.jsonl ]; then cat events.jsonl; fi
	for backup in events.jsonl-*.backup; do if [ -e "$backup" ]; then cat "$backup"; fi; done`, "sh", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var id int
		if _, err := fmt.Sscanf(line, `{"id":"j-%d"`, &id); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("not an event: %q", line)
		}
		ids = append(ids, id)
	}
	if backups, _ := filepath.Glob(filepath.Join(dir, "events.jsonl-*.backup")); len(backups) > 0 {
		slices.Sort(ids)
	}
	return ids
}
