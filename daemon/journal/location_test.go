// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

// A diskJournal is a journal of several segments on the real file system. One reader has
// committed one record.
type diskJournal struct {
	dir   string
	j     *Journal
	r     *Reader
	count int // records appended
	lines bytes.Buffer
}

func newDiskJournal(t *testing.T) *diskJournal {
	t.Helper()
	m := &diskJournal{dir: filepath.Join(t.TempDir(), "state", "journal")}
	m.j = open(t, m.dir, m.options())
	m.r = reader(t, m.j, "r", FromOldest)
	fill(t, m.j, 20)
	m.count = 20
	firstUse(t, m.j)
	rec, _ := next(t, m.r)
	if err := m.r.Commit(rec); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *diskJournal) options() Options {
	return Options{SegmentBytes: 1000, SyncInterval: time.Hour, Log: slog.New(slog.NewTextHandler(&m.lines, nil))}
}

// checkRecovered checks that the journal accepts events again, that lost records are counted,
// and that all others are delivered, by this process or by the next one.
func (m *diskJournal) checkRecovered(t *testing.T, lost int, killed bool) {
	t.Helper()
	if err := m.j.Stats().Fault; err != nil {
		t.Fatalf("fault %v", err)
	}
	put(t, m.j, "after")
	m.count++
	if killed {
		abandon(m.j)
		m.j = open(t, m.dir, m.options())
		m.r = reader(t, m.j, "r", FromOldest)
	}
	got, skipped := drain(t, m.r)
	if want := m.count - 1 - lost; len(got) != want || int(skipped) != lost || got[len(got)-1].text != "after" {
		t.Errorf("%d records, %d skipped; want %d and %d\n%s", len(got), skipped, want, lost, &m.lines)
	}
	commitAll(t, reader(t, m.j, "other", FromOldest))
	firstUse(t, m.j)
	if _, problems := runVerify(t, m.dir); problems != "" && lost == 0 {
		t.Errorf("Verify reports %s", problems)
	}
}

// TestRemovedFilesAreRecreated: files that are open, or have another link,
// are recreated. Records of the other files are counted as lost. The next process reads the
// new records.
func TestRemovedFilesAreRecreated(t *testing.T) {
	cases := []struct {
		name string
		do   func(t *testing.T, m *diskJournal)
		lost int
	}{
		{"state directory renamed", func(t *testing.T, m *diskJournal) {
			check(t, os.Rename(filepath.Dir(m.dir), filepath.Dir(m.dir)+".old"))
		}, 0},
		{"directory renamed and an empty one made", func(t *testing.T, m *diskJournal) {
			check(t, os.Rename(m.dir, m.dir+".old"))
			check(t, os.Mkdir(m.dir, 0o700))
		}, 0},
		{"another file system mounted over it", func(t *testing.T, m *diskJournal) {
			tmpfs.MountOn(t, m.dir, "size=1m")
		}, 0},
		// The first segment is open for reading, the last for writing. The others are lost.
		{"directory removed", func(t *testing.T, m *diskJournal) { check(t, os.RemoveAll(filepath.Dir(m.dir))) }, 20 - 3 - 2},
		{"newest segment removed", func(t *testing.T, m *diskJournal) { check(t, os.Remove(m.segment(-1))) }, 0},
		{"newest segment replaced", func(t *testing.T, m *diskJournal) {
			write(t, m.dir+".new", []byte("x"))
			check(t, os.Rename(m.dir+".new", m.segment(-1)))
		}, 0},
		{"segment that is being read removed", func(t *testing.T, m *diskJournal) { check(t, os.Remove(m.segment(0))) }, 0},
		{"segment that is not open removed", func(t *testing.T, m *diskJournal) { check(t, os.Remove(m.segment(2))) }, 3},
		{"meta, state, cursor and lock removed", func(t *testing.T, m *diskJournal) {
			for _, name := range []string{layout.MetaName, layout.StateName, cursor.Prefix + "r", layout.LockName} {
				check(t, os.Remove(filepath.Join(m.dir, name)))
			}
		}, 0},
	}
	for _, c := range cases {
		for _, killed := range []bool{false, true} {
			t.Run(c.name+map[bool]string{true: ", then killed"}[killed], func(t *testing.T) {
				m := newDiskJournal(t)
				if m.j.syncer.maintain() != nil || m.j.Stats().Fault != nil {
					t.Fatal(m.j.Stats().Fault)
				}
				c.do(t, m)
				m.lines.Reset()
				m.j.location.look()
				if !strings.Contains(m.lines.String(), "removed or replaced") {
					t.Errorf("the log is:\n%s", &m.lines)
				}
				if d := m.j.Stats().Damage; d.Missing+d.Repairs == 0 {
					t.Errorf("no damage is counted: %+v", d)
				}
				m.checkRecovered(t, c.lost, killed)
			})
		}
	}
}

func (m *diskJournal) segment(i int) string {
	m.j.index.mu.Lock()
	defer m.j.index.mu.Unlock()
	if i < 0 {
		i += len(m.j.index.segments)
	}
	return m.j.segmentPath(m.j.index.segments[i])
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDirectoryThatCannotBeRecreated: Append fails, records of open files are delivered, and
// the journal continues when its path is free again.
func TestDirectoryThatCannotBeRecreated(t *testing.T) {
	other := t.TempDir()
	firstUse(t, open(t, other, Options{}))
	for name, occupy := range map[string]func(m *diskJournal){
		"a file":          func(m *diskJournal) { write(t, m.dir, []byte("x")) },
		"another journal": func(m *diskJournal) { check(t, os.Symlink(other, m.dir)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newDiskJournal(t)
			check(t, os.Rename(m.dir, m.dir+".old"))
			occupy(m)
			for range 3 {
				m.j.location.look()
				if err := m.j.Append(nil, epoch, batchOf("refused")); !errors.Is(err, errAway) || !errors.Is(m.j.Stats().Fault, errAway) {
					t.Fatalf("Append: %v, fault %v", err, m.j.Stats().Fault)
				}
			}
			got, skipped := drain(t, m.r)
			if len(got) != m.count-1 || skipped > 0 {
				t.Errorf("%d records delivered, %d skipped", len(got), skipped)
			}
			if n := strings.Count(m.lines.String(), "accepts no events"); n != 1 {
				t.Errorf("the fault is in the log %d times", n)
			}
			check(t, os.Remove(m.dir))
			m.j.location.look()
			check(t, m.j.Stats().Fault)
			put(t, m.j, "after")
			if got, skipped := readOne(t, m.r); got.text != "after" || skipped > 0 {
				t.Errorf("got %v, %d skipped", got, skipped)
			}
		})
	}
}

// TestDirectoryThatReturnsIsReused: the original directory is used again, and is not recreated.
func TestDirectoryThatReturnsIsReused(t *testing.T) {
	m := newDiskJournal(t)
	check(t, os.Rename(m.dir, m.dir+".old"))
	write(t, m.dir, []byte("x"))
	m.j.location.look()
	if !errors.Is(m.j.Stats().Fault, errAway) {
		t.Errorf("fault %v", m.j.Stats().Fault)
	}
	check(t, os.Remove(m.dir))
	check(t, os.Rename(m.dir+".old", m.dir))
	m.j.location.look()
	m.checkRecovered(t, 0, false)
	if d := m.j.Stats().Damage; d != (damage.Counts{}) {
		t.Errorf("damage %+v", d)
	}
}

// TestMaintainerDetectsRemovedFiles without a call of Append.
func TestMaintainerDetectsRemovedFiles(t *testing.T) {
	m := newDiskJournal(t)
	check(t, os.RemoveAll(filepath.Dir(m.dir)))
	deadline := time.After(time.Minute)
	for m.j.Stats().Damage.Missing == 0 {
		select {
		case <-deadline:
			t.Fatal("the maintainer does not detect that the files are removed")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestRecordsLostAtEndAreCountedImmediately: if they were counted only with the next
// record, the backlog would include them until then.
func TestRecordsLostAtEndAreCountedImmediately(t *testing.T) {
	m := newDiskJournal(t)
	check(t, os.RemoveAll(filepath.Dir(m.dir)))
	m.j.location.look()
	got, skipped, last := drainTo(t, m.r)
	if len(got)+int(skipped) != m.count-1 || skipped == 0 {
		t.Errorf("%d records, %d skipped of %d", len(got), skipped, m.count-1)
	}
	check(t, m.r.Commit(last))
	if n := m.r.Backlog(); n > 0 {
		t.Errorf("the backlog has %d records", n)
	}
	put(t, m.j, "after")
	if got, skipped := readOne(t, m.r); got.text != "after" || skipped > 0 {
		t.Errorf("got %v, %d skipped", got, skipped)
	}
}

// TestAppendContinuesWithoutCursorFile: a cursor that cannot be written is
// written later, and the journal accepts events meanwhile.
func TestAppendContinuesWithoutCursorFile(t *testing.T) {
	m := newDiskJournal(t)
	path := m.r.cursor.Path
	if err := errors.Join(os.Remove(path), os.Mkdir(path+".tmp", 0o700)); err != nil {
		t.Fatal(err)
	}
	m.j.location.look()
	if err := m.j.Stats().Fault; err != nil {
		t.Errorf("fault %v", err)
	}
	put(t, m.j, "meanwhile")
	m.count++
	if err := os.Remove(path + ".tmp"); err != nil {
		t.Fatal(err)
	}
	if err := m.j.syncer.syncCursors(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	m.checkRecovered(t, 0, true)
}
