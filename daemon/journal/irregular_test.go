// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/verify"
)

// TestIrregularFileIsReportedWithPath: the test uses the real file system, on which
// opening a FIFO blocks.
func TestIrregularFileIsReportedWithPath(t *testing.T) {
	kinds := map[string]func(path string) error{
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"FIFO":          func(path string) error { return unix.Mkfifo(path, 0o600) },
		"socket":        func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
		"symbolic link": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for kind, make := range kinds {
		for _, name := range []string{
			layout.MetaName, layout.StateName, layout.LockName, cursor.Prefix + "r", segment.Name(1), "meta.tmp", damage.QuarantineName,
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				if name == damage.QuarantineName && kind == "directory" {
					t.Skip("the quarantine is a directory")
				}
				dir := t.TempDir()
				j := open(t, dir, Options{})
				reader(t, j, "r", FromOldest)
				put(t, j, "one")
				firstUse(t, j)
				abandon(j)
				path := filepath.Join(dir, name)
				os.Remove(path)
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				mustReturn(t, func() {
					sum, problems := runVerify(t, dir)
					if !strings.Contains(problems, path) || !strings.Contains(problems, kind) {
						t.Errorf("Verify reports %q, %+v", problems, sum)
					}
					if _, err := verify.Dump(dir, func(string, segment.Record) error { return nil }); err != nil && !strings.Contains(err.Error(), path) {
						t.Errorf("Dump: %v", err)
					}
					reported := useJournal(dir)
					if !strings.Contains(reported, path) || !strings.Contains(reported, kind) && name != damage.QuarantineName {
						t.Errorf("the journal reports %q", reported)
					}
				})
			})
		}
	}
}

// useJournal opens a journal, reads all records, runs the maintainer, and returns the errors
// and the log.
func useJournal(dir string) string {
	var lines bytes.Buffer
	j, err := Open(dir, Options{SyncInterval: time.Hour, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		return err.Error()
	}
	defer abandon(j)
	r, err := j.NewReader("r", ReaderOptions{})
	if err != nil {
		return err.Error()
	}
	_, _, rerr := readAvailable(r)
	j.use()
	return fmt.Sprint(rerr, j.syncer.maintain(), lines.String())
}

// runVerify returns the summary of Verify, and its problems and its error as text.
func runVerify(t *testing.T, dir string) (sum verify.Summary, problems string) {
	t.Helper()
	sum, err := verify.Check(dir, func(p verify.Problem) { problems += fmt.Sprintf("%s: %s\n", p.Path, p.What) })
	if err != nil {
		problems += err.Error()
	}
	return sum, problems
}

// mustReturn fails the test if f does not return.
func mustReturn(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("f does not return")
	}
}
