// SPDX-License-Identifier: Apache-2.0

package memfs

import (
	"bytes"
	"errors"
	"math/rand"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A writer performs steps, and fails the test if a step fails.
type writer struct {
	t *testing.T
	*FS
}

func (w writer) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w writer) open(name string) vfs.File {
	w.t.Helper()
	f, err := w.Open(name, unix.O_RDWR|unix.O_CREAT)
	w.must(err)
	return f
}

func (w writer) write(f vfs.File, text string) {
	w.t.Helper()
	_, err := f.WriteAt([]byte(text), 0)
	w.must(err)
}

// contents returns the content of each file.
func contents(m *FS) string {
	var list []string
	for name, n := range m.Names {
		list = append(list, name+"="+string(n.Data))
	}
	return strings.Join(list, " ")
}

// TestPowerCut: a power cut may lose each step that was not synced.
func TestPowerCut(t *testing.T) {
	for name, test := range map[string]struct {
		do             func(w writer)
		lost, survived string
	}{
		"nothing is synced":    {func(w writer) { w.write(w.open("/j/f"), "new") }, "", "/j/f=new"},
		"the file is synced":   {func(w writer) { f := w.open("/j/f"); w.write(f, "new"); w.must(f.Sync()) }, "", "/j/f=new"},
		"its name is synced":   {func(w writer) { w.write(w.open("/j/f"), "new"); w.must(w.SyncDir("/j")) }, "/j/f=", "/j/f=new"},
		"both are synced":      {func(w writer) { w.durable("/j/f", "new") }, "/j/f=new", "/j/f=new"},
		"written after a sync": {func(w writer) { w.write(w.durable("/j/f", "old"), "new") }, "/j/f=old", "/j/f=new"},
		"cut after a sync":     {func(w writer) { w.must(w.durable("/j/f", "old").Truncate(1)) }, "/j/f=old", "/j/f=o"},
		"renamed after a sync": {func(w writer) { w.durable("/j/f", "old"); w.must(w.Rename("/j/f", "/j/g")) }, "/j/f=old", "/j/g=old"},
		"removed after a sync": {func(w writer) { w.durable("/j/f", "old"); w.must(w.Remove("/j/f")) }, "/j/f=old", ""},
		"a failed sync":        {func(w writer) { w.failSync(w.durable("/j/f", "old"), "new") }, "/j/f=old", "/j/f=new"},
		"a sync after a failed": {func(w writer) {
			f := w.durable("/j/f", "old")
			w.failSync(f, "new")
			w.must(f.Sync())
		}, "/j/f=old", "/j/f=new"},
		"written again": {func(w writer) {
			f := w.durable("/j/f", "old")
			w.failSync(f, "new")
			w.write(f, "new")
			w.must(f.Sync())
		}, "/j/f=new", "/j/f=new"},
	} {
		t.Run(name, func(t *testing.T) {
			w := writer{t, New()}
			test.do(w)
			for survive, want := range map[bool]string{false: test.lost, true: test.survived} {
				if got := contents(PowerCut(w.Ops, len(w.Ops), func() bool { return survive })); got != want {
					t.Errorf("unsynced steps survive %v: got %q, want %q", survive, got, want)
				}
			}
			if got := contents(Killed(w.Ops, len(w.Ops), ".log", rand.New(rand.NewSource(1)))); got != test.survived {
				t.Errorf("killed: got %q, want %q", got, test.survived)
			}
			if got := contents(PowerCut(w.Settled().Ops, len(w.Ops), func() bool { return false })); got != test.survived {
				t.Errorf("settled: got %q, want %q", got, test.survived)
			}
		})
	}
}

// durable creates a file, and syncs its content and its name.
func (w writer) durable(name, text string) vfs.File {
	w.t.Helper()
	f := w.open(name)
	w.write(f, text)
	w.must(f.Sync())
	w.must(w.SyncDir("/j"))
	return f
}

// failSync writes, and makes the fsync fail.
func (w writer) failSync(f vfs.File, text string) {
	w.t.Helper()
	w.write(f, text)
	w.Fail = func(o Op) error {
		if o.Kind == Sync {
			return unix.EIO
		}
		return nil
	}
	if err := f.Sync(); !errors.Is(err, unix.EIO) {
		w.t.Fatalf("sync: %v", err)
	}
	w.Fail = nil
}

func TestPowerCutTearsWriteAtSectorBoundary(t *testing.T) {
	w := writer{t, New()}
	f := w.durable("/j/f", strings.Repeat("o", 1500))
	w.write(f, strings.Repeat("n", 1500))
	calls := 0
	cut := PowerCut(w.Ops, len(w.Ops), func() bool { calls++; return calls == 2 })
	want := strings.Repeat("o", 512) + strings.Repeat("n", 512) + strings.Repeat("o", 1500-1024)
	if got := string(cut.Names["/j/f"].Data); got != want || calls != 3 {
		t.Errorf("%d sectors; got %d bytes of the new content", calls, strings.Count(got, "n"))
	}
}

func TestPowerCutsAreLimited(t *testing.T) {
	w := writer{t, New()}
	f := w.durable("/j/f", "0")
	for _, text := range []string{"1", "2", "3"} {
		w.write(f, text)
	}
	random := rand.New(rand.NewSource(1))
	cuts := PowerCuts(w.Ops, len(w.Ops), 8, random)
	found := map[string]int{}
	for _, cut := range cuts {
		found[contents(cut)]++
	}
	// The file has the content of the last write that survived.
	if len(cuts) != 8 || found["/j/f=3"] != 4 || found["/j/f=2"] != 2 || found["/j/f=1"] != 1 || found["/j/f=0"] != 1 {
		t.Errorf("%d cuts: %v", len(cuts), found)
	}
	if n := len(PowerCuts(w.Ops, len(w.Ops), 6, random)); n > 6 {
		t.Errorf("%d cuts, the limit is 6", n)
	}
}

func TestKillTearsNextSegmentWrite(t *testing.T) {
	for suffix, torn := range map[string]bool{".log": true, ".other": false} {
		w := writer{t, New()}
		f := w.durable("/j/1.log", "old")
		n := len(w.Ops)
		w.write(f, strings.Repeat("n", 100))
		shorter := 0
		for seed := range int64(20) {
			data := Killed(w.Ops, n, suffix, rand.New(rand.NewSource(seed))).Names["/j/1.log"].Data
			if got := bytes.Count(data, []byte("n")); got > 0 {
				shorter++
			}
		}
		if (shorter > 0) != torn {
			t.Errorf("%s: %d of 20 kills tear the write", suffix, shorter)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	w := writer{t, New()}
	f := w.durable("/j/f", "old")
	c := w.Clone()
	w.write(f, "new")
	if got := contents(c); got != "/j/f=old" || len(c.Ops) > 0 {
		t.Errorf("the clone has %q, %d steps", got, len(c.Ops))
	}
}

func TestFailedWriteMayBePartial(t *testing.T) {
	w := writer{t, New()}
	f := w.durable("/j/f", "old")
	w.Fail = func(Op) error { return unix.ENOSPC }
	if n, err := f.WriteAt([]byte("news"), 0); n != 2 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	w.Fail = nil
	if got := contents(w.FS); got != "/j/f=ned" {
		t.Errorf("got %q", got)
	}
}
