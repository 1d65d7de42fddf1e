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

// TestAFileThatCannotBeReadForAWhile: no record is passed over or removed for it, over
// any number of starts, killed or not; when it can be read again all are delivered.
func TestAFileThatCannotBeReadForAWhile(t *testing.T) {
	for _, clean := range []bool{true, false} {
		for _, killed := range []bool{true, false} {
			base, texts := halfRead(t, clean)
			for _, name := range slices.Sorted(maps.Keys(base.Names)) {
				for _, kind := range []memfs.Kind{memfs.Open, memfs.Read} {
					for _, errno := range []error{unix.EACCES, unix.EIO} {
						what := fmt.Sprintf("clean %v, killed %v, %v of %s: %v", clean, killed, kind, name, errno)
						fs := base.Clone()
						awayForAWhile(t, what, fs, func(o memfs.Op) error {
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

func awayForAWhile(t *testing.T, what string, fs *memfs.FS, fail func(memfs.Op) error, killed bool, texts map[uint64]string) {
	t.Helper()
	texts = maps.Clone(texts)
	got := map[string][]seen{}
	for start := range 3 {
		fs.Fail = fail
		if start == 2 {
			fs.Fail = nil
		}
		before := fs.Clone()
		j, err := Open("/j", still(fs))
		if err != nil {
			if !same(before, fs) || start == 2 {
				t.Fatalf("%s: start %d was refused, with something changed or for no reason: %v", what, start, err)
			}
			continue
		}
		u, err := newUser(j)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for range 3 {
			u.round(t)
		}
		if start == 2 && !u.round(t) {
			t.Errorf("%s: it does not recover: %v", what, j.Stats().Fault)
		}
		for name, more := range u.got {
			got[name] = append(got[name], more...)
		}
		if d := j.Stats().Damage; u.skipped > 0 || d.Records > 0 {
			t.Errorf("%s: start %d: %d records skipped, damage %+v", what, start, u.skipped, d)
		}
		if u.appended {
			texts[j.Stats().Last] = "new"
		}
		if !killed {
			_ = j.Close() // it cannot write its state, perhaps
		}
		abandon(j)
	}
	for name, all := range got {
		for seq, text := range texts {
			if (name != "r" || seq > patientRecords/3) && !slices.Contains(all, seen{seq, text}) {
				t.Errorf("%s: %s never got record %d", what, name, seq)
				return
			}
		}
	}
}

// TestASegmentOfAnotherUser is what a start by hand as root leaves: the newest segment
// belongs to root, and the process was killed. The reader returns the error, new records are
// taken, and all are delivered in order once it is mended.
func TestASegmentOfAnotherUser(t *testing.T) {
	base, texts := halfRead(t, false)
	fs := base.Clone()
	newest := last(segmentsIn(fs))
	fs.Fail = failingOn(newest, memfs.Open, unix.EACCES)
	var lines bytes.Buffer
	opts := still(fs)
	opts.Log = slog.New(slog.NewTextHandler(&lines, nil))
	j := open(t, "/j", opts)
	r := reader(t, j, "r", FromOldest)
	put(t, j, 1000, "new")
	begin(t, j)
	if _, _, err := readSome(r); err != nil {
		t.Fatalf("what is before it cannot be read: %v", err)
	}
	n, _, err := readSome(r)
	if n > 0 || !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), newest) {
		t.Fatalf("%d records behind it, %v", n, err)
	}
	if j.Stats().Unreadable != 1 || !strings.Contains(lines.String(), newest) {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Stats().Unreadable, &lines)
	}
	fs.Fail = nil
	n, skipped, err := readSome(r)
	// What is torn at its end looks like the beginning of another batch.
	if want := 3*(tailBatches(fs, segmentsIn(base))-1) + 1; n != want || skipped > 0 || err != nil {
		t.Errorf("%d records, %d skipped, %v; want %d of %d", n, skipped, err, want, len(texts))
	}
	if j.Stats().Unreadable != 0 || !strings.Contains(lines.String(), "can be read again") {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Stats().Unreadable, &lines)
	}
}

// readSome reads until there is nothing, or an error.
func readSome(r *Reader) (n int, skipped uint64, err error) {
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

// TestAnOutageOfTheDiskIsNoDamage: reads of the whole segment fail for as long as the
// disk is away, and that may be long.
func TestAnOutageOfTheDiskIsNoDamage(t *testing.T) {
	fs, _ := patient(t, true)
	j := open(t, "/j", still(fs))
	r := reader(t, j, "r", FromOldest)
	readOne(t, r)
	fs.Fail = failing(memfs.Read, unix.EIO)
	n := 1
	for range 50 * readRetries {
		k, _, _ := readSome(r)
		n += k
	}
	fs.Fail = nil
	got, skipped := drain(t, r)
	if n += len(got); n != patientRecords || skipped > 0 || j.Stats().Damage != (damage.Counts{}) {
		t.Errorf("%d records, %d skipped, damage %+v", n, skipped, j.Stats().Damage)
	}
}

// TestASegmentThatIsTooLarge is not read to its end, which may be far away.
func TestASegmentThatIsTooLarge(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	reader(t, j, "r", FromOldest)
	put(t, j, 1, "one")
	begin(t, j)
	abandon(j)
	if err := os.Truncate(filepath.Join(dir, layout.MetaName), 1<<40); err != nil {
		t.Skipf("the file system has no files so large: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, cursor.Prefix+"r"), 1<<40); err != nil {
		t.Fatal(err)
	}
	within(t, func() {
		if reported := useAll(dir); !strings.Contains(reported, layout.MetaName) {
			t.Errorf("the journal reports %q", reported)
		}
	})
}
