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
	"time"

	"golang.org/x/sys/unix"
)

// TestAFileThatCannotBeReadForAWhile: no record is passed over or removed for it, over
// any number of starts, killed or not; when it can be read again all are delivered.
func TestAFileThatCannotBeReadForAWhile(t *testing.T) {
	for _, clean := range []bool{true, false} {
		for _, killed := range []bool{true, false} {
			base, texts := halfRead(t, clean)
			for _, name := range slices.Sorted(maps.Keys(base.names)) {
				for _, kind := range []opKind{opOpen, opRead} {
					for _, errno := range []error{unix.EACCES, unix.EIO} {
						what := fmt.Sprintf("clean %v, killed %v, %s of %s: %v", clean, killed, opNames[kind], name, errno)
						fs := base.clone()
						awayForAWhile(t, what, fs, func(o op) error {
							if o.kind == kind && o.name == name {
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

func awayForAWhile(t *testing.T, what string, fs *memFS, fail func(op) error, killed bool, texts map[uint64]string) {
	t.Helper()
	texts = maps.Clone(texts)
	got := map[string][]seen{}
	for start := range 3 {
		fs.fail = fail
		if start == 2 {
			fs.fail = nil
		}
		before := fs.clone()
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
			t.Errorf("%s: it does not recover: %v", what, j.Fault())
		}
		for name, more := range u.got {
			got[name] = append(got[name], more...)
		}
		if d := j.Damage(); u.skipped > 0 || d.Records > 0 {
			t.Errorf("%s: start %d: %d records skipped, damage %+v", what, start, u.skipped, d)
		}
		if u.appended {
			texts[j.Last()] = "new"
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
// belongs to root, and the process was killed. The reader says so, new records are
// taken, and all are delivered in order once it is mended.
func TestASegmentOfAnotherUser(t *testing.T) {
	base, texts := halfRead(t, false)
	fs := base.clone()
	newest := last(fs.segments())
	fs.fail = failingOn(newest, opOpen, unix.EACCES)
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
	if j.Unreadable() != 1 || !strings.Contains(lines.String(), newest) {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Unreadable(), &lines)
	}
	fs.fail = nil
	n, skipped, err := readSome(r)
	// What is torn at its end looks like the beginning of another batch.
	if want := 3*(tailBatches(fs, base.segments())-1) + 1; n != want || skipped > 0 || err != nil {
		t.Errorf("%d records, %d skipped, %v; want %d of %d", n, skipped, err, want, len(texts))
	}
	if j.Unreadable() != 0 || !strings.Contains(lines.String(), "can be read again") {
		t.Errorf("%d segments are unreadable, log:\n%s", j.Unreadable(), &lines)
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
	fs.fail = failing(opRead, unix.EIO)
	n := 1
	for range 50 * readRetries {
		k, _, _ := readSome(r)
		n += k
	}
	fs.fail = nil
	got, skipped := drain(t, r)
	if n += len(got); n != patientRecords || skipped > 0 || j.Damage() != (Damage{}) {
		t.Errorf("%d records, %d skipped, damage %+v", n, skipped, j.Damage())
	}
}

// A mixUp puts something into the directory that does not belong there.
type mixUp struct {
	name string
	do   func(fs *memFS, segments []string)
	want func(Damage) bool
	says string // in the log
}

// TestWhatDoesNotBelongThereCostsNothing: copies of files, files of another journal,
// and files of nothing at all. All records are read, and the log names the file.
func TestWhatDoesNotBelongThereCostsNothing(t *testing.T) {
	other, _ := patient(t, true)
	within := "/j/" + segmentName(5) // a number within the first segment
	beyond := "/j/" + segmentName(patientRecords+10)
	stray := func(d Damage) bool { return d.Strays == 1 && d.Repairs == 0 && d.Records == 0 }
	copied := func(m *memFS, to, from string) { m.names[to] = &node{data: bytes.Clone(m.names[from].data)} }
	foreign := func(m *memFS, name, as string) { m.names[as] = &node{data: bytes.Clone(other.names[name].data)} }
	for _, c := range []mixUp{
		{"copy of the same segment within it", func(m *memFS, s []string) { copied(m, within, s[0]) }, stray, within},
		{"copy of a later segment within an earlier one", func(m *memFS, s []string) { copied(m, within, s[2]) }, stray, within},
		{"copy of a segment behind the last", func(m *memFS, s []string) { copied(m, beyond, s[1]) }, stray, beyond},
		{"segment of another journal", func(m *memFS, s []string) { foreign(m, other.segments()[1], within) }, stray, within},
		{"empty file within a segment", func(m *memFS, _ []string) { m.names[within] = &node{} }, nil, ""},
		{"garbage within a segment", func(m *memFS, _ []string) { m.names[within] = &node{data: make([]byte, 500)} }, nil, within},
		{"header of a segment, damaged, within it", func(m *memFS, s []string) {
			copied(m, within, s[0])
			m.names[within].data[40] ^= 1
		}, nil, within},
		{"directory within a segment", func(m *memFS, _ []string) { m.names[within] = &node{kind: kindDirectory} }, nil, within},
		{"meta of another journal", func(m *memFS, _ []string) { foreign(m, "/j/meta", "/j/meta") }, func(d Damage) bool { return d.Repairs == 1 }, "/j/meta"},
		{"state of another journal", func(m *memFS, _ []string) { foreign(m, "/j/state", "/j/state") }, func(d Damage) bool { return d.Repairs == 1 }, "/j/state"},
		{"meta and state of another journal", func(m *memFS, _ []string) {
			foreign(m, "/j/meta", "/j/meta")
			foreign(m, "/j/state", "/j/state")
		}, func(d Damage) bool { return d.Repairs == 2 }, "/j/meta"},
		{"a file that was not complete", func(m *memFS, _ []string) { m.names["/j/cursor-r.tmp"] = &node{data: []byte("x")} }, nil, "cursor-r.tmp"},
	} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", c.name, clean), func(t *testing.T) {
				fs, texts := patient(t, clean)
				c.do(fs, fs.segments())
				before := fs.clone()
				var lines bytes.Buffer
				opts := still(fs)
				opts.Log = slog.New(slog.NewTextHandler(&lines, nil))
				j := open(t, "/j", opts)
				r := reader(t, j, "r", FromOldest)
				put(t, j, 1000, "new")
				begin(t, j)
				got, skipped := drain(t, r)
				if len(got) != patientRecords+1 || skipped > 0 {
					t.Errorf("%d records, %d skipped", len(got), skipped)
				}
				(&story{texts: texts}).checkRecords(t, c.name, got[:len(got)-1])
				if c.want != nil && !c.want(j.Damage()) {
					t.Errorf("damage %+v", j.Damage())
				}
				if !strings.Contains(lines.String(), c.says) {
					t.Errorf("the log does not name %s:\n%s", c.says, &lines)
				}
				if n := before.names[c.says]; strings.HasSuffix(c.says, segmentSuffix) && !bytes.Equal(n.data, fs.names[c.says].data) {
					t.Errorf("%s was changed", c.says)
				}
				abandon(j)
				// A reader that stands behind the number of the file, too.
				j = open(t, "/j", still(fs))
				if err := reader(t, j, "later", FromOldest).commit(position{8, 7}); err != nil {
					t.Fatal(err)
				}
				abandon(j)
				j = open(t, "/j", still(fs))
				if got, skipped := drain(t, reader(t, j, "later", FromOldest)); len(got) != patientRecords+1-7 || skipped > 0 {
					t.Errorf("from number 8 on: %d records, %d skipped", len(got), skipped)
				}
				all := reader(t, j, "r", FromOldest)
				all.commit(position{8, 7}) //nolint:errcheck // in memory
				begin(t, j)
				if len(fs.segments()) < len(before.segments()) {
					t.Error("a segment was removed that has records which a reader needs")
				}
			})
		}
	}
}

// TestACursorBeyondTheEndBeginsWithTheOldest: as one that is damaged.
func TestACursorBeyondTheEndBeginsWithTheOldest(t *testing.T) {
	fs, _ := patient(t, true)
	j := open(t, "/j", still(fs))
	id := j.who.id
	abandon(j)
	copy(fs.names["/j/cursor-r"].data, encodeSlot(99, position{lostStateStep, 5}.encode(id)))
	j = open(t, "/j", still(fs))
	got, skipped := drain(t, reader(t, j, "r", FromOldest))
	if len(got) != patientRecords || skipped > 0 || j.Damage().Cursors != 1 {
		t.Errorf("%d records, %d skipped, damage %+v", len(got), skipped, j.Damage())
	}
}

// TestWhatIsNoFileIsAnErrorWithItsPath: on the real file system, where a FIFO would
// block whoever opens it.
func TestWhatIsNoFileIsAnErrorWithItsPath(t *testing.T) {
	kinds := map[string]func(path string) error{
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"FIFO":          func(path string) error { return unix.Mkfifo(path, 0o600) },
		"socket":        func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
		"symbolic link": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for kind, make := range kinds {
		for _, name := range []string{metaName, stateName, lockName, cursorPrefix + "r", segmentName(1), "meta.tmp", quarantineName} {
			t.Run(kind+" "+name, func(t *testing.T) {
				if name == quarantineName && kind == "directory" {
					t.Skip("it is one")
				}
				dir := t.TempDir()
				j := open(t, dir, Options{})
				reader(t, j, "r", FromOldest)
				put(t, j, 1, "one")
				begin(t, j)
				abandon(j)
				path := filepath.Join(dir, name)
				os.Remove(path)
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				within(t, func() {
					sum, problems := verified(t, dir)
					if !strings.Contains(problems, path) || !strings.Contains(problems, kind) {
						t.Errorf("Verify says %q, %+v", problems, sum)
					}
					if _, err := Dump(dir, func(string, Record) error { return nil }); err != nil && !strings.Contains(err.Error(), path) {
						t.Errorf("Dump: %v", err)
					}
					if said := useAll(dir); !strings.Contains(said, path) || !strings.Contains(said, kind) && name != quarantineName {
						t.Errorf("the journal says %q", said)
					}
				})
			})
		}
	}
}

// useAll opens a journal, has it read and write everything, and returns what it says.
func useAll(dir string) string {
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
	_, _, rerr := readSome(r)
	j.use()
	return fmt.Sprint(rerr, j.tend(), lines.String())
}

// verified returns the problems as a text, and the error as one of them.
func verified(t *testing.T, dir string) (sum Summary, problems string) {
	t.Helper()
	sum, err := Verify(dir, func(p Problem) { problems += fmt.Sprintf("%s: %s\n", p.Path, p.What) })
	if err != nil {
		problems += err.Error()
	}
	return sum, problems
}

// within fails when f hangs.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}

// TestVerifyFindsAMissingSegment: wherever it was.
func TestVerifyFindsAMissingSegment(t *testing.T) {
	healthy, _ := patient(t, true)
	for i := range healthy.segments() {
		for _, clean := range []bool{true, false} {
			fs, _ := patient(t, clean)
			if !clean { // as the keeper of a daemon that runs on has noted it
				j := open(t, "/j", still(fs))
				begin(t, j)
				abandon(j)
			}
			check := func() (found int) {
				c := checker{fs: fs, dir: "/j", report: func(Problem) { found++ }}
				if err := c.check(func(*frame) error { return nil }); err != nil {
					t.Fatal(err)
				}
				return found
			}
			if n := check(); n > 0 {
				t.Fatalf("%d problems in a healthy journal", n)
			}
			delete(fs.names, fs.segments()[i])
			if check() == 0 {
				t.Errorf("clean %v: segment %d of %d is missing, and that is not found", clean, i, len(healthy.segments()))
			}
			j := open(t, "/j", still(fs))
			if missing := j.Damage().Missing; (i == 0 || i == len(healthy.segments())-1) && missing != 1 {
				t.Errorf("clean %v: Open counts %d missing segments", clean, missing)
			}
			abandon(j)
		}
	}
}

// TestVerifyExplainsWhatRetentionRemoved: as nothing missing, also when the process was
// killed directly after it.
func TestVerifyExplainsWhatRetentionRemoved(t *testing.T) {
	fs := newMemFS()
	opts := still(fs)
	opts.MaxBytes = 4000
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	fill(t, j, 5)
	begin(t, j)
	for range 60 {
		fill(t, j, 1)
		c := checker{fs: fs.clone(), dir: "/j", report: func(p Problem) { t.Error(p) }}
		if err := c.check(func(*frame) error { return nil }); err != nil {
			t.Fatal(err)
		}
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
	if err := os.Truncate(filepath.Join(dir, metaName), 1<<40); err != nil {
		t.Skipf("the file system has no files so large: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, cursorPrefix+"r"), 1<<40); err != nil {
		t.Fatal(err)
	}
	within(t, func() {
		if said := useAll(dir); !strings.Contains(said, metaName) {
			t.Errorf("the journal says %q", said)
		}
	})
}
