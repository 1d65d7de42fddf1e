// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// Each case has the verdict of the check, and journal.Open must have the same.
func TestJournalRequiresItsOwnDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, dir string)
		want string
	}{
		"missing":         {func(t *testing.T, dir string) { must(t, os.Remove(dir)) }, ""},
		"empty":           {func(*testing.T, string) {}, ""},
		"own file system": {func(t *testing.T, dir string) { must(t, os.Mkdir(dir+"/lost+found", 0o700)) }, ""},
		"refused start":   {func(t *testing.T, dir string) { openJournal(t, dir, false) }, ""},
		"journal":         {func(t *testing.T, dir string) { openJournal(t, dir, true) }, ""},
		"no events yet": {func(t *testing.T, dir string) {
			openJournal(t, dir, true)
			segments, err := filepath.Glob(dir + "/*.log")
			must(t, err)
			for _, s := range segments {
				must(t, os.Remove(s))
			}
		}, ""},
		"other files": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/notes.txt", nil, 0o600))
		}, `cannot contain the journal: the directory is not a journal's: it contains notes.txt`},
		"hostile name": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/\x1b[2J\n", nil, 0o600))
		}, `it contains \x1b[2J\n, and no intact file`},
		"other journal": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/meta", []byte("x"), 0o600))
		}, `it contains meta, and no intact file of a journal; give the journal an empty directory`},
		"file": {func(t *testing.T, dir string) {
			must(t, errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)))
		}, "not a directory; write the path of a directory"},
		"loop": {func(t *testing.T, dir string) {
			must(t, errors.Join(os.Remove(dir), os.Symlink(dir, dir)))
		}, "cannot contain the journal: "},
		"FIFO": {func(t *testing.T, dir string) {
			must(t, unix.Mkfifo(dir+"/meta", 0o600))
		}, "cannot contain the journal: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/j"
			must(t, os.Mkdir(dir, 0o700))
			c.make(t, dir)
			cfg, err := config.Parse("g.yaml", []byte("journal: {path: "+dir+"}\n"), sinks.Kinds())
			must(t, err)
			var faults config.Errors
			errors.As(Check(cfg, Dirs{State: t.TempDir(), Runtime: t.TempDir()}), &faults)
			found := len(faults) == 1 && strings.Contains(faults[0].Message, c.want) && faults[0].Line == 1
			if c.want == "" && len(faults) > 0 || c.want != "" && !found {
				t.Errorf("got %v, want %q", faults, c.want)
			}
			j, err := journal.Open(dir, journal.Options{})
			if (err == nil) != (c.want == "") {
				t.Errorf("Open disagrees: %v", err)
			}
			if err == nil {
				must(t, j.Close())
			}
		})
	}
}

// Only a check with the rights of the service can decide this.
func TestUnreadableJournalDirectoryIsUnverifiable(t *testing.T) {
	cfg, err := config.Parse("g.yaml", []byte("journal: {path: /j}\n"), sinks.Kinds())
	must(t, err)
	denied := cfg.Fault("journal.path", "x")
	denied.Cause = &fs.PathError{Op: "open", Path: "/j", Err: unix.EACCES}
	if !IsUnverifiable(denied, false) || IsUnverifiable(denied, true) {
		t.Error("the cause of the fault is lost")
	}
}

// openJournal creates a journal and closes it. An unused journal creates only its lock.
func openJournal(t *testing.T, dir string, used bool) {
	t.Helper()
	j, err := journal.Open(dir, journal.Options{})
	must(t, err)
	if used {
		must(t, j.Append(nil, time.Now(), [][]byte{[]byte("event")}))
	}
	must(t, j.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
