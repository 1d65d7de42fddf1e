// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/cursor"
	"github.com/genltestd/genltestd/daemon/journal/damage"
	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestTemporarilyUnreadableFileLosesNoRecords: no start skips or removes a record of the file. All
// records are delivered when the file can be read again.
func TestTemporarilyUnreadableFileLosesNoRecords(t *testing.T) {
	for _, clean := range []bool{true, false} {
		for _, killed := range []bool{true, false} {
			base, texts := partlyRead(t, clean)
			for _, name := range slices.Sorted(maps.Keys(base.Names)) {
				for _, kind := range []memfs.Kind{memfs.Open, memfs.Read} {
					for _, errno := range []error{unix.EACCES, unix.EIO} {
						label := fmt.Sprintf("clean %v, killed %v, %v of %s: %v", clean, killed, kind, name, errno)
						fs := base.Clone()
						checkUnreadableFile(t, label, fs, func(o memfs.Op) error {
							if o.Kind == kind && o.Name == name {
								return errno
							}
							return nil
						}, killed, texts)
					}
				}
			}
		}
	}
}

// checkUnreadableFile starts the journal twice with the fault and once without it.
func checkUnreadableFile(t *testing.T, label string, fs *memfs.FS, fail func(memfs.Op) error, killed bool, texts map[uint64]string) {
	t.Helper()
	texts = maps.Clone(texts)
	got := map[string][]textRecord{}
	for start := range 3 {
		fs.Fail = fail
		if start == 2 {
			fs.Fail = nil
		}
		before := fs.Clone()
		j, err := Open("/j", manualOptions(fs))
		if err != nil {
			if !same(before, fs) || start == 2 {
				t.Fatalf("%s: start %d: Open failed after a change of a file, or without a fault: %v", label, start, err)
			}
			continue
		}
		u, err := newUser(j)
		if err != nil {
			t.Fatalf("%s: %v", label, err)
		}
		for range 3 {
			u.round(t)
		}
		if start == 2 && !u.round(t) {
			t.Errorf("%s: the journal does not recover: %v", label, j.Stats().Fault)
		}
		for name, more := range u.got {
			got[name] = append(got[name], more...)
		}
		if d := j.Stats().Damage; u.skipped > 0 || d.Records > 0 {
			t.Errorf("%s: start %d: %d records skipped, damage %+v", label, start, u.skipped, d)
		}
		if u.appended {
			texts[j.Stats().Last] = "new"
		}
		if !killed {
			_ = j.Close() // fails if the state cannot be written
		}
		abandon(j)
	}
	for name, all := range got {
		for seq, text := range texts {
			if (name != "r" || seq > healthyRecords/3) && !slices.Contains(all, textRecord{seq, text}) {
				t.Errorf("%s: %s never got record %d", label, name, seq)
				return
			}
		}
	}
}

// TestSegmentOwnedByAnotherUser: a daemon that was started manually as root and killed leaves
// a segment that belongs to root. The reader returns the error and new records are appended.
// After the repair all are delivered in order.
func TestSegmentOwnedByAnotherUser(t *testing.T) {
	base, texts := partlyRead(t, false)
	fs := base.Clone()
	newest := last(segmentsIn(fs))
	fs.Fail = failingOn(newest, memfs.Open, unix.EACCES)
	var lines bytes.Buffer
	opts := manualOptions(fs)
	opts.Log = slog.New(slog.NewTextHandler(&lines, nil))
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, "new")
	firstUse(t, j)
	if _, _, err := readAvailable(r); err != nil {
		t.Fatalf("records before the segment cannot be read: %v", err)
	}
	n, _, err := readAvailable(r)
	if n > 0 || !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), newest) {
		t.Fatalf("%d records of the unreadable segment, %v", n, err)
	}
	if j.Stats().Unreadable != 1 || !strings.Contains(lines.String(), newest) {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Stats().Unreadable, &lines)
	}
	fs.Fail = nil
	n, skipped, err := readAvailable(r)
	// The torn end of the segment looks like the start of another batch.
	if want := 3*(tailBatches(fs, segmentsIn(base))-1) + 1; n != want || skipped > 0 || err != nil {
		t.Errorf("%d records, %d skipped, %v; want %d of %d", n, skipped, err, want, len(texts))
	}
	if j.Stats().Unreadable != 0 || !strings.Contains(lines.String(), "can be read again") {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Stats().Unreadable, &lines)
	}
}

// readAvailable reads until no record is available, or a read fails.
func readAvailable(r *Reader) (n int, skipped uint64, err error) {
	var records [10]Record
	for {
		k, s, err := r.TryRead(records[:])
		n, skipped = n+k, skipped+s
		if k == 0 {
			if n > 0 {
				err = nil
			}
			return n, skipped, err
		}
	}
}

// TestDiskOutageIsNotDamage: reads of all segments fail while the disk is away, however
// long that is.
func TestDiskOutageIsNotDamage(t *testing.T) {
	fs, _ := healthyJournal(t, true)
	j := open(t, "/j", manualOptions(fs))
	r := reader(t, j, "r", FromOldest)
	readOne(t, r)
	fs.Fail = failing(memfs.Read, unix.EIO)
	n := 1
	for range 50 * readRetries {
		k, _, _ := readAvailable(r)
		n += k
	}
	fs.Fail = nil
	got, skipped := drain(t, r)
	if n += len(got); n != healthyRecords || skipped > 0 || j.Stats().Damage != (damage.Counts{}) {
		t.Errorf("%d records, %d skipped, damage %+v", n, skipped, j.Stats().Damage)
	}
}

// TestOversizedFilesAreNotRead: files beyond the maximum size are rejected and not read.
func TestOversizedFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	reader(t, j, "r", FromOldest)
	put(t, j, "one")
	firstUse(t, j)
	abandon(j)
	if err := os.Truncate(filepath.Join(dir, layout.MetaName), 1<<40); err != nil {
		t.Skipf("the file system does not support files of this size: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, cursor.Prefix+"r"), 1<<40); err != nil {
		t.Fatal(err)
	}
	mustReturn(t, func() {
		if reported := useJournal(dir); !strings.Contains(reported, layout.MetaName) {
			t.Errorf("the journal reports %q", reported)
		}
	})
}
