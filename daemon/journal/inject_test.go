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

// An injector fails the step with the number at, or that and all after it.
type injector struct {
	at      int
	forever bool
	err     error
	steps   int
	what    string // the first step that failed
}

func (i *injector) fail(o memfs.Op) error {
	i.steps++
	if i.steps != i.at && (!i.forever || i.steps < i.at) {
		return nil
	}
	if i.what == "" {
		i.what = fmt.Sprintf("%v of %s", o.Kind, o.Name)
	}
	return i.err
}

// eachFault calls run once for each step that fails, only that step or all from it on, until
// a run does not reach the step.
func eachFault(t *testing.T, run func(t *testing.T, what string, i *injector)) {
	t.Helper()
	for _, err := range []error{unix.EIO, unix.EACCES, unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.ESTALE} {
		for _, forever := range []bool{false, true} {
			for at := 1; ; at++ {
				i := &injector{at: at, forever: forever, err: err}
				run(t, fmt.Sprintf("%v from step %d on (forever: %v)", err, at, forever), i)
				if t.Failed() {
					t.Logf("the first step that failed was the %s", i.what)
					return
				}
				if i.what == "" {
					break
				}
			}
		}
	}
}

// halfRead is a patient of which one reader has taken a third and another nothing. The
// last process of an unclean one was killed while it wrote.
func halfRead(t testing.TB, clean bool) (*memfs.FS, map[uint64]string) {
	t.Helper()
	fs, texts := patient(t, false)
	j := open(t, "/j", still(fs))
	reader(t, j, "fresh", FromOldest)
	r := reader(t, j, "r", FromOldest)
	var records [patientRecords / 3]Record
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

// same reports whether two file systems hold the same files, except the lock.
func same(a, b *memfs.FS) bool {
	clean := func(m *memfs.FS) map[string]*memfs.Node {
		names := maps.Clone(m.Names)
		delete(names, "/j/"+layout.LockName)
		return names
	}
	return maps.EqualFunc(clean(a), clean(b), func(a, b *memfs.Node) bool { return bytes.Equal(a.Data, b.Data) })
}

// A user does with a journal what the daemon does, and keeps on where that fails.
type user struct {
	j        *Journal
	readers  map[string]*Reader
	got      map[string][]seen
	skipped  uint64
	appended bool
}

func newUser(j *Journal) (*user, error) {
	u := &user{j: j, readers: map[string]*Reader{}, got: map[string][]seen{}}
	for _, name := range []string{"r", "fresh"} {
		r, err := j.NewReader(name, ReaderOptions{})
		if err != nil {
			return nil, err
		}
		u.readers[name] = r
	}
	return u, nil
}

// round tries everything once, and reports whether nothing failed.
func (u *user) round(t *testing.T) (ok bool) {
	t.Helper()
	ok = true
	if !u.appended {
		u.appended = u.j.Append(1000, epoch, batchOf("new")) == nil
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
				u.got[name] = append(u.got[name], seen{rec.Seq, string(rec.Data)})
			}
			ok = r.Commit(records[n-1]) == nil && ok
		}
	}
	u.j.use()
	return u.j.syncer.maintain() == nil && ok
}

// finish continues until nothing fails, and checks the records that were read: each record
// after the first taken ones, in order, and the new one.
func (u *user) finish(t *testing.T, what string, texts map[uint64]string, taken int) {
	t.Helper()
	for rounds := 0; !u.round(t); rounds++ {
		if rounds == 20 {
			t.Errorf("%s: the journal does not recover: fault %v", what, u.j.Stats().Fault)
			return
		}
	}
	for name, got := range u.got {
		want := patientRecords + 1
		if name == "r" {
			want -= taken
		}
		story := &story{texts: maps.Clone(texts)}
		story.texts[got[len(got)-1].seq] = "new"
		story.checkRecords(t, what, got)
		if len(got) < want || got[len(got)-1].text != "new" {
			t.Errorf("%s: %s got %d records, want %d", what, name, len(got), want)
		}
	}
	// The torn end counts as damage when it could not be looked at in time.
	if d := u.j.Stats().Damage; u.skipped > 0 || d.Regions > 1 || d.Bytes > 70 || d.Records+d.Strays+d.Missing > 0 {
		t.Errorf("%s: %d records skipped, damage %+v", what, u.skipped, d)
	}
}

// TestAFaultDuringTheStartLosesNothing: if any call fails, once or until it is repaired, the
// start is refused and nothing is changed, or everything is delivered in the end.
func TestAFaultDuringTheStartLosesNothing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := halfRead(t, clean)
		eachFault(t, func(t *testing.T, what string, i *injector) {
			what = fmt.Sprintf("clean %v: %s", clean, what)
			fs := base.Clone()
			fs.Fail = i.fail
			j, err := Open("/j", still(fs))
			if !same(base, fs) {
				t.Fatalf("%s: Open has changed something", what)
			}
			if err != nil {
				fs.Fail = nil
				j = open(t, "/j", still(fs))
			}
			defer abandon(j)
			u, err := newUser(j)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for range 3 {
				u.round(t)
			}
			fs.Fail = nil
			u.finish(t, what, texts, patientRecords/3)
		})
	}
}

// TestAStartThatIsRefusedChangesNothing: another part of the daemon may fail after the
// journal was opened and its readers were made, with any part of it readable.
func TestAStartThatIsRefusedChangesNothing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := halfRead(t, clean)
		eachFault(t, func(t *testing.T, what string, i *injector) {
			fs := base.Clone()
			fs.Fail = i.fail
			if j, err := Open("/j", still(fs)); err == nil {
				u, err := newUser(j)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for _, r := range u.readers {
					r.Close()
				}
				if err := j.Close(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			if !same(base, fs) {
				t.Fatalf("%s: a start that was refused has changed something", what)
			}
			fs.Fail = nil
			j := open(t, "/j", still(fs))
			defer abandon(j)
			u, err := newUser(j)
			if err != nil {
				t.Fatal(err)
			}
			u.finish(t, what, texts, patientRecords/3)
		})
	}
}

// TestAKillDuringAFaultLosesNothing: the next process must be able to use the files of a
// process that had a fault since its start.
func TestAKillDuringAFaultLosesNothing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		base, texts := halfRead(t, clean)
		eachFault(t, func(t *testing.T, what string, i *injector) {
			what = fmt.Sprintf("clean %v: %s", clean, what)
			fs := base.Clone()
			fs.Fail = i.fail
			before := map[string][]seen{}
			appended := false
			if j, err := Open("/j", still(fs)); err == nil {
				u, err := newUser(j)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				u.round(t)
				u.round(t)
				before, appended = u.got, u.appended
				if u.skipped > 0 {
					t.Errorf("%s: %d records skipped", what, u.skipped)
				}
				abandon(j)
			}
			fs.Fail = nil
			j := open(t, "/j", still(fs))
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
					if (name != "r" || seq > patientRecords/3) && !slices.Contains(all, seen{seq, text}) {
						t.Errorf("%s: %s never got record %d", what, name, seq)
						return
					}
				}
			}
			if u.skipped > 0 {
				t.Errorf("%s: %d records skipped", what, u.skipped)
			}
		})
	}
}
