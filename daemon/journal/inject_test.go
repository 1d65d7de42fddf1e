// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/layout"
	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// An injector makes step number at fail; with forever set, also all later steps.
type injector struct {
	at      int
	forever bool
	err     error
	steps   int
	failed  string // description of the first step that failed
}

func (i *injector) fail(o memfs.Op) error {
	i.steps++
	if i.steps != i.at && (!i.forever || i.steps < i.at) {
		return nil
	}
	if i.failed == "" {
		i.failed = fmt.Sprintf("%v of %s", o.Kind, o.Name)
	}
	return i.err
}

// eachFault calls run with a fault at step 1, 2 and so on, until a run does not reach the
// step. Each fault affects only that step, or all steps from it on.
func eachFault(t *testing.T, run func(t *testing.T, label string, i *injector)) {
	t.Helper()
	for _, err := range []error{unix.EIO, unix.EACCES, unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.ESTALE} {
		for _, forever := range []bool{false, true} {
			for at := 1; ; at++ {
				i := &injector{at: at, forever: forever, err: err}
				run(t, fmt.Sprintf("%v from step %d on (forever: %v)", err, at, forever), i)
				if t.Failed() {
					t.Logf("the first step that failed was the %s", i.failed)
					return
				}
				if i.failed == "" {
					break
				}
			}
		}
	}
}

// partlyRead returns a journal of which one reader has committed a third and another
// nothing. If clean is false, the last process was killed during a write.
func partlyRead(t testing.TB, clean bool) (*memfs.FS, map[uint64]string) {
	t.Helper()
	fs, texts := healthyJournal(t, false)
	j := open(t, "/j", manualOptions(fs))
	reader(t, j, "fresh", FromOldest)
	r := reader(t, j, "r", FromOldest)
	var records [healthyRecords / 3]Record
	for n := 0; n < len(records); {
		k, _, err := r.TryRead(records[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if err := r.Commit(records[len(records)-1]); err != nil {
		t.Fatal(err)
	}
	if clean {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return fs, texts
	}
	abandon(j)
	torn := fs.Names[last(segmentsIn(fs))]
	torn.Data = append(torn.Data, torn.Data[segment.HeaderLen:segment.HeaderLen+70]...)
	fs.Names["/j/meta.tmp"] = &memfs.Node{Data: []byte("left")}
	return fs, texts
}

// same reports whether two file systems contain the same files, except for the lock file.
func same(a, b *memfs.FS) bool {
	clean := func(m *memfs.FS) map[string]*memfs.Node {
		names := maps.Clone(m.Names)
		delete(names, "/j/"+layout.LockName)
		return names
	}
	return maps.EqualFunc(clean(a), clean(b), func(a, b *memfs.Node) bool { return bytes.Equal(a.Data, b.Data) })
}

// A user uses a journal as the daemon does, and continues after errors.
type user struct {
	j        *Journal
	readers  map[string]*Reader
	got      map[string][]textRecord
	skipped  uint64
	appended bool
}

func newUser(j *Journal) (*user, error) {
	u := &user{j: j, readers: map[string]*Reader{}, got: map[string][]textRecord{}}
	for _, name := range []string{"r", "fresh"} {
		r, err := j.NewReader(name, ReaderOptions{})
		if err != nil {
			return nil, err
		}
		u.readers[name] = r
	}
	return u, nil
}

// round calls each operation once, and reports whether all succeeded.
func (u *user) round(t *testing.T) (ok bool) {
	t.Helper()
	ok = true
	if !u.appended {
		u.appended = u.j.Append(nil, epoch, batchOf("new")) == nil
		ok = u.appended
	}
	for name, r := range u.readers {
		for {
			var records [7]Record
			n, skipped, err := r.TryRead(records[:])
			u.skipped += skipped
			ok = ok && (err == nil || errors.Is(err, io.EOF))
			if n == 0 {
				break
			}
			for _, rec := range records[:n] {
				u.got[name] = append(u.got[name], textRecord{rec.Seq, string(rec.Data)})
			}
			ok = r.Commit(records[n-1]) == nil && ok
		}
	}
	u.j.use()
	return u.j.syncer.maintain() == nil && ok
}

// finish repeats round until it succeeds, and checks the records that were read: all records
// after the first committed ones, in order, and the new one.
func (u *user) finish(t *testing.T, label string, texts map[uint64]string, committed int) {
	t.Helper()
	for rounds := 0; !u.round(t); rounds++ {
		if rounds == 20 {
			t.Errorf("%s: the journal does not recover: fault %v", label, u.j.Stats().Fault)
			return
		}
	}
	for name, got := range u.got {
		want := healthyRecords + 1
		if name == "r" {
			want -= committed
		}
		history := &history{texts: maps.Clone(texts)}
		history.texts[got[len(got)-1].seq] = "new"
		history.checkRecords(t, label, got)
		if len(got) < want || got[len(got)-1].text != "new" {
			t.Errorf("%s: %s got %d records, want %d", label, name, len(got), want)
		}
	}
	// The torn end counts as damage if recovery could not read it.
	if d := u.j.Stats().Damage; u.skipped > 0 || d.Regions > 1 || d.Bytes > 70 || d.Records+d.Strays+d.Missing > 0 {
		t.Errorf("%s: %d records skipped, damage %+v", label, u.skipped, d)
	}
}

// TestFaultDuringStartLosesNoRecords: if a call fails, once or until it is repaired, Open
// fails and changes no file, or all records are delivered eventually.
func TestFaultDuringStartLosesNoRecords(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := partlyRead(t, clean)
		eachFault(t, func(t *testing.T, label string, i *injector) {
			label = fmt.Sprintf("clean %v: %s", clean, label)
			fs := base.Clone()
			fs.Fail = i.fail
			j, err := Open("/j", manualOptions(fs))
			if !same(base, fs) {
				t.Fatalf("%s: Open has changed a file", label)
			}
			if err != nil {
				fs.Fail = nil
				j = open(t, "/j", manualOptions(fs))
			}
			defer abandon(j)
			u, err := newUser(j)
			if err != nil {
				t.Fatalf("%s: %v", label, err)
			}
			for range 3 {
				u.round(t)
			}
			fs.Fail = nil
			u.finish(t, label, texts, healthyRecords/3)
		})
	}
}

// TestFailedStartChangesNoFiles: the start may fail in another part of the daemon
// after the journal and its readers were opened.
func TestFailedStartChangesNoFiles(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := partlyRead(t, clean)
		eachFault(t, func(t *testing.T, label string, i *injector) {
			fs := base.Clone()
			fs.Fail = i.fail
			if j, err := Open("/j", manualOptions(fs)); err == nil {
				u, err := newUser(j)
				if err != nil {
					t.Fatalf("%s: %v", label, err)
				}
				for _, r := range u.readers {
					r.Close()
				}
				if err := j.Close(); err != nil {
					t.Fatalf("%s: %v", label, err)
				}
			}
			if !same(base, fs) {
				t.Fatalf("%s: a failed start has changed a file", label)
			}
			fs.Fail = nil
			j := open(t, "/j", manualOptions(fs))
			defer abandon(j)
			u, err := newUser(j)
			if err != nil {
				t.Fatal(err)
			}
			u.finish(t, label, texts, healthyRecords/3)
		})
	}
}

// TestKillDuringFaultLosesNoRecords: a process has a fault and is killed. The next process
// must deliver the records from its files.
func TestKillDuringFaultLosesNoRecords(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := partlyRead(t, clean)
		eachFault(t, func(t *testing.T, label string, i *injector) {
			label = fmt.Sprintf("clean %v: %s", clean, label)
			fs := base.Clone()
			fs.Fail = i.fail
			before := map[string][]textRecord{}
			appended := false
			if j, err := Open("/j", manualOptions(fs)); err == nil {
				u, err := newUser(j)
				if err != nil {
					t.Fatalf("%s: %v", label, err)
				}
				u.round(t)
				u.round(t)
				before, appended = u.got, u.appended
				if u.skipped > 0 {
					t.Errorf("%s: %d records skipped", label, u.skipped)
				}
				abandon(j)
			}
			fs.Fail = nil
			j := open(t, "/j", manualOptions(fs))
			defer abandon(j)
			u, err := newUser(j)
			if err != nil {
				t.Fatal(err)
			}
			u.appended = appended
			for rounds := 0; !u.round(t) && rounds < 20; rounds++ {
			}
			for name, got := range u.got {
				all := append(slices.Clone(before[name]), got...)
				for seq, text := range texts {
					if (name != "r" || seq > healthyRecords/3) && !slices.Contains(all, textRecord{seq, text}) {
						t.Errorf("%s: %s never got record %d", label, name, seq)
						return
					}
				}
			}
			if u.skipped > 0 {
				t.Errorf("%s: %d records skipped", label, u.skipped)
			}
		})
	}
}
