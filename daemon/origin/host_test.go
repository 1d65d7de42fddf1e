// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/statefile"
)

// faulty fails the calls that are selected by fail.
type faulty struct {
	statefile.Disk
	fail func(call string) bool
}

func (f *faulty) Read(path string) ([]byte, error) {
	if f.fail("read") {
		return nil, unix.EIO
	}
	return f.Disk.Read(path)
}

func (f *faulty) Replace(path string, text []byte) error {
	if f.fail("replace") {
		return unix.ENOSPC
	}
	return f.Disk.Replace(path, text)
}

func (f *faulty) SetAside(path string) error {
	if f.fail("set aside") {
		return unix.EIO
	}
	return f.Disk.SetAside(path)
}

func always(which string) func(string) bool { return func(call string) bool { return call == which } }

func checkHosts(t *testing.T, boots *Boots, want map[uint64]string) {
	t.Helper()
	table := boots.Table(event.Origin{}, false, false)
	for seq, host := range want {
		if _, got := table.Of(seq); got != host {
			t.Errorf("event %d is of host %q, want %q", seq, got, host)
		}
	}
}

func note(t *testing.T, b *Boots, next uint64, host string) {
	t.Helper()
	if err := b.Note(next, host); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventKeepsItsHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	for round, hostAtStart := range []string{"localhost", "web-2", "other"} {
		boots, err := Open(options(path), 1, uint64(1+100*round), a, hostAtStart)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			note(t, boots, 11, "a b%")
			note(t, boots, 11, "web-1") // no event was received in between
			note(t, boots, 21, "web-2")
		}
		want := map[uint64]string{1: "localhost", 10: "localhost", 11: "web-1", 20: "web-1", 21: "web-2", 100: "web-2"}
		if round == 2 {
			want[200], want[201] = "web-2", "other"
		}
		checkHosts(t, boots, want)
		read, err := Read(options(path))
		if err != nil {
			t.Fatal(err)
		}
		checkHosts(t, read, want)
	}
}

// Events of an older version, and those next to damage, lack a known host. They keep the
// first host that is assigned.
func TestAnUnknownHostIsThatOfTheFirstLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	old := sealed([]byte("5 " + a.ID + " " + a.Release + "\n10 " + b.ID + " " + b.Release))
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"first", "second"} {
		boots, err := Open(options(path), 1, 20, b, host)
		if err != nil {
			t.Fatal(err)
		}
		checkHosts(t, boots, map[uint64]string{1: "first", 5: "first", 10: "first", 19: "first", 20: host})
		checkBoots(t, boots, map[uint64]Boot{1: {}, 5: a, 10: b, 20: b})
	}
}

func TestAHostThatCannotBeStoredIsNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	files := &faulty{fail: always("")}
	o := options(path)
	o.Files = files
	boots, err := Open(o, 1, 1, a, "old")
	if err != nil {
		t.Fatal(err)
	}
	files.fail = always("replace")
	if err := boots.Note(10, "new"); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	checkHosts(t, boots, map[uint64]string{1: "old", 10: "old"})
	// The next process starts after the name has changed.
	boots, err = Open(o, 1, 20, a, "new")
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	checkHosts(t, boots, map[uint64]string{1: "old", 20: "old"})
	files.fail = always("")
	if err := boots.Maintain(); err != nil {
		t.Fatal(err)
	}
	note(t, boots, 30, "new")
	boots, err = Open(o, 1, 40, a, "new")
	if err != nil {
		t.Fatal(err)
	}
	checkHosts(t, boots, map[uint64]string{1: "old", 29: "old", 30: "new", 40: "new"})
}

// A file that cannot be read is not overwritten. It is used after the fault is repaired.
func TestAFileThatCannotBeReadNowIsReadLater(t *testing.T) {
	for name, obstacle := range map[string]func(string) error{
		"an I/O error": nil,
		"a directory":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a FIFO":       func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "boots")
			open(t, path, 1, 1, a)
			o := options(path)
			files := &faulty{fail: always("read")}
			if obstacle == nil {
				o.Files = files
			} else {
				if err := errors.Join(os.Rename(path, path+".away"), obstacle(path)); err != nil {
					t.Fatal(err)
				}
			}
			boots, err := Open(o, 1, 10, b, "web")
			if err == nil {
				t.Fatal("no error")
			}
			checkBoots(t, boots, map[uint64]Boot{10: b})
			checkHosts(t, boots, map[uint64]string{10: "web"})
			if err := boots.Note(15, "other"); err == nil {
				t.Error("Note: no error")
			}
			if err := boots.Maintain(); err == nil {
				t.Error("Maintain: no error")
			}
			if obstacle == nil {
				files.fail = always("")
			} else if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
				t.Fatal(err)
			}
			if err := boots.Maintain(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time after a restart
				checkBoots(t, boots, map[uint64]Boot{1: a, 9: a, 10: b, 19: b})
				checkHosts(t, boots, map[uint64]string{1: "h", 9: "h", 10: "web"})
				if boots, err = Open(o, 1, 20, b, "web"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestADamagedFileIsSetAsideAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boots")
	open(t, path, 1, 1, a)
	open(t, path, 1, 10, b)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.Replace(string(text), "\n10 ", "\n11 ", 1)
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	o, reports := options(path), 0
	o.OnDamage = func(error) { reports++ }
	o.Files = &faulty{fail: always("set aside")}
	if _, err := Open(o, 1, 20, c, "h"); !errors.Is(err, unix.EIO) || reports != 0 {
		t.Errorf("%v, %d reports", err, reports)
	}
	o.Files = statefile.Disk{}
	boots, err := Open(o, 1, 20, c, "h")
	if err != nil || reports != 1 {
		t.Errorf("%v, %d reports", err, reports)
	}
	checkBoots(t, boots, map[uint64]Boot{1: {}, 15: {}, 20: c})
	if aside, err := os.ReadFile(path + ".damaged"); string(aside) != damaged {
		t.Errorf("renamed %q, %v", aside, err)
	}
}
