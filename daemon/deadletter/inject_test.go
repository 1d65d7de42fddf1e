// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// An injector fails one step on the disk, or that step and all later ones until repair is called.
type injector struct {
	err     error
	at      int
	forever bool

	mu       sync.Mutex
	steps    int
	repaired bool
	failed   string // the first step that failed
}

func (i *injector) fail(o memfs.Op) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.steps++
	if i.repaired || i.steps < i.at || i.steps > i.at && !i.forever {
		return nil
	}
	if i.failed == "" {
		i.failed = fmt.Sprintf("%s of %s", o.Kind, o.Name)
	}
	return i.err
}

// repair ends the fault, and returns the first step that failed, if any.
func (i *injector) repair() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.repaired = true
	return i.failed
}

// A dirFS is a file system in memory with the directory dir, which also exists on the disk.
type dirFS struct {
	*memfs.FS
	dir string
}

// Stat implements vfs.FS.
func (r dirFS) Stat(name string) (vfs.FileInfo, error) {
	if name == r.dir {
		name = "/box" // in memfs only a path of one element can be a directory
	}
	return r.FS.Stat(name)
}

// A task records which changes of a box are completed. The box has the letters 1 to 6, of
// which 3 is marked.
type task struct {
	added, marked, removed bool
}

// run makes the remaining changes, and reports whether all are completed and the letters can
// be read.
func (k *task) run(b *Box) bool {
	if b.Fault() != nil {
		return false
	}
	if !k.added {
		k.added = b.Add(letters(7, 8)...) == nil
	}
	if !k.marked {
		n, err := b.RequestReplay(ID{journalID, 5})
		k.marked = n == 1 && err == nil
	}
	if !k.removed {
		_, err := b.Remove(ID{journalID, 1}, ID{journalID, 4})
		k.removed = err == nil
	}
	got, err := b.Get(b.IDs()...)
	next, nextErr := b.NextReplay(10)
	return k.added && k.marked && k.removed && err == nil && nextErr == nil && len(got) == len(b.IDs()) && len(next) == 2
}

// checkDone compares the box with the result of the finished task.
func checkDone(t *testing.T, b *Box) {
	t.Helper()
	wantLetters(t, b, slices.Concat(letters(2, 3), letters(5, 8)))
	if next, err := b.NextReplay(10); err != nil || len(next) != 2 || next[0].ID.Seq != 3 || next[1].ID.Seq != 5 {
		t.Errorf("marked for replay: %v, %v", next, err)
	}
	if s := b.Stats(); s.Damaged+s.Expired > 0 {
		t.Errorf("%+v", s)
	}
}

// Each step fails once, or until the disk works again. Neither this process nor the next one
// may lose a letter, or return a removed one.
func TestDiskFaultLosesNoLetter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	base := memfs.New()
	b := open(t, dir, Options{FS: dirFS{base, dir}})
	add(t, b, letters(1, 6)...)
	if _, err := b.RequestReplay(ID{journalID, 3}); err != nil {
		t.Fatal(err)
	}
	closeBox(t, b)
	for _, errno := range []error{unix.EIO, unix.EROFS, unix.EDQUOT, unix.ENOSPC, unix.EACCES} {
		for _, forever := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, forever %v", errno, forever), func(t *testing.T) {
				for at := 1; !t.Failed(); at++ {
					i := &injector{err: errno, at: at, forever: forever}
					if !checkFault(t, base.Clone(), dir, i) {
						t.Logf("%d steps", at)
						return
					}
				}
			})
		}
	}
}

// checkFault changes a box during the fault, checks the result, and reports whether a step
// failed.
func checkFault(t *testing.T, fs *memfs.FS, dir string, i *injector) bool {
	t.Helper()
	fs.Fail = i.fail
	options := Options{
		FS: dirFS{fs, dir}, Retry: time.Millisecond,
		OnDamage: func(err error) { t.Errorf("damage: %v", err) },
	}
	b := Open(dir, options)
	var k task
	for range 3 {
		k.run(b)
	}
	failed := i.repair()
	for !k.run(b) && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	checkDone(t, b)
	closeBox(t, b)
	b = open(t, dir, options)
	checkDone(t, b)
	closeBox(t, b)
	if t.Failed() {
		t.Logf("step %d, the %s, failed first", i.at, failed)
	}
	return failed != ""
}
