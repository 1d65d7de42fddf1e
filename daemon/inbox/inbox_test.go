// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/internal/tmpfs"
)

func openInbox(t *testing.T, path string, size int) (*Inbox, bool) {
	t.Helper()
	b, fresh, err := Open(path, size)
	if err != nil {
		t.Fatal(err)
	}
	return b, fresh
}

func TestInboxSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	const size = 100_000
	b, fresh := openInbox(t, path, size)
	if !fresh || len(b.Memory()) != size || b.Generation() != 0 {
		t.Fatalf("new inbox: fresh %v, %d bytes, generation %d", fresh, len(b.Memory()), b.Generation())
	}
	copy(b.Memory()[size-5:], "hello")
	b.SaveSnapshot(7, []byte("before"))
	b.header.generation.Store(7)
	// Not closed: the process was killed.
	again, fresh := openInbox(t, path, size)
	if fresh || again.Generation() != 7 || string(again.LoadSnapshot(7)) != "before" || string(again.Memory()[size-5:]) != "hello" {
		t.Errorf("fresh %v, generation %d, snapshot %q, memory %q", fresh, again.Generation(), again.LoadSnapshot(7), again.Memory()[size-5:])
	}
	for _, b := range []*Inbox{b, again} {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInboxKeepsTwoSnapshots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	b, _ := openInbox(t, path, 4096)
	if got := b.LoadSnapshot(0); got != nil {
		t.Errorf("a new inbox has the snapshot %q", got)
	}
	want := func(generation uint64, text string) {
		t.Helper()
		if got := string(b.LoadSnapshot(generation)); got != text {
			t.Errorf("loaded %q for generation %d, want %q", got, generation, text)
		}
	}
	b.header.generation.Store(1)
	b.SaveSnapshot(1, []byte("one"))
	b.SaveSnapshot(2, []byte("two"))
	want(1, "one")
	want(2, "two")
	// Several processes are killed before the batch is journaled.
	for range 3 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b, _ = openInbox(t, path, 4096)
		b.SaveSnapshot(2, []byte("two again"))
		want(1, "one")
		want(2, "two again")
	}
	b.header.generation.Store(2)
	b.SaveSnapshot(2, []byte("two, later"))
	b.SaveSnapshot(2, []byte("two, latest"))
	want(2, "two, latest")
	b.SaveSnapshot(3, make([]byte, SnapshotBytes))
	want(2, "two, latest")
	want(9, string(make([]byte, SnapshotBytes))) // the newest snapshot
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// A process that ends while it writes a snapshot leaves any part of it.
func TestOlderSnapshotIsLoadedIfNewerIsTorn(t *testing.T) {
	for torn := range unsafe.Sizeof(snapshot{}) - SnapshotBytes + uintptr(len("newer")) {
		path := filepath.Join(t.TempDir(), "inbox")
		b, _ := openInbox(t, path, 4096)
		b.header.generation.Store(1)
		b.SaveSnapshot(1, []byte("older"))
		b.SaveSnapshot(1, []byte("newer"))
		m := &b.header.snapshots[1]
		(*[unsafe.Sizeof(snapshot{})]byte)(unsafe.Pointer(m))[torn] ^= 1
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		b, _ = openInbox(t, path, 4096)
		if got := string(b.LoadSnapshot(1)); got != "older" {
			t.Errorf("byte %d altered: loaded %q", torn, got)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUnusableInboxIsReplaced(t *testing.T) {
	for name, content := range map[string]string{
		"garbage":      "this is not an inbox",
		"another size": string(make([]byte, 200_000)),
	} {
		path := filepath.Join(t.TempDir(), "inbox")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b, fresh := openInbox(t, path, 100_000)
		if !fresh || b.Generation() != 0 {
			t.Errorf("%s: fresh %v, generation %d", name, fresh, b.Generation())
		}
		for i, c := range b.Memory() {
			if c != 0 {
				t.Fatalf("%s: byte %d is %d", name, i, c)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestInboxOnFullFileSystemIsInMemory: a full file system must not prevent the
// start of the daemon.
func TestInboxOnFullFileSystemIsInMemory(t *testing.T) {
	dir := tmpfs.Mount(t, "size=64k")
	b, fresh, err := Open(filepath.Join(dir, "inbox"), 1<<20)
	if err != nil || !fresh || !errors.Is(b.Unbacked, unix.ENOSPC) {
		t.Fatalf("fresh %v, unbacked %v, %v", fresh, b.Unbacked, err)
	}
	clear(b.Memory())
	b.header.generation.Store(7)
	if _, _, err := Open(filepath.Join(dir, "no", "inbox"), 100); err == nil {
		t.Error("no error without the directory")
	}
	if b.Generation() != 7 || len(b.Memory()) != 1<<20 {
		t.Errorf("generation %d, %d bytes", b.Generation(), len(b.Memory()))
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestOtherFileInPlaceOfInboxIsReported: its content is set aside. An irregular file
// causes an error with its path.
func TestOtherFileInPlaceOfInboxIsReported(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "inbox")
	write(t, path, []byte("something else"))
	b, fresh, err := Open(path, 100)
	if err != nil || !fresh || b.Discarded == nil {
		t.Fatalf("fresh %v, %v, %+v", fresh, err, b)
	}
	if aside, err := os.ReadFile(path + asideSuffix); string(aside) != "something else" {
		t.Errorf("set aside %q, %v", aside, err)
	}
	b.Close()
	if b, _, err = Open(path, 100); err != nil || b.Discarded != nil {
		t.Fatalf("the second time: %v, %+v", err, b)
	}
	b.Close()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	mustReturn(t, func() {
		if _, _, err := Open(fifo, 100); !errors.Is(err, vfs.ErrIrregular) || !strings.Contains(err.Error(), fifo) {
			t.Errorf("got %v", err)
		}
	})
}

// TestInboxOfAnotherSizeKeepsSnapshots: the receiver requires them to count the
// events that are lost with the batch.
func TestInboxOfAnotherSizeKeepsSnapshots(t *testing.T) {
	for _, size := range []int{4096, 3 * 4096} {
		path := filepath.Join(t.TempDir(), "inbox")
		old, _ := openInbox(t, path, 2*4096)
		old.header.generation.Store(7)
		old.SaveSnapshot(7, []byte("before the batch"))
		old.SaveSnapshot(8, []byte("after the batch"))
		copy(old.Memory(), "a batch")
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		b, fresh := openInbox(t, path, size)
		if !fresh || b.Generation() != 7 || string(b.LoadSnapshot(7)) != "before the batch" || string(b.LoadSnapshot(8)) != "after the batch" {
			t.Errorf("fresh %v, generation %d, snapshots %q and %q", fresh, b.Generation(), b.LoadSnapshot(7), b.LoadSnapshot(8))
		}
		if strings.Trim(string(b.Memory()), "\x00") != "" || len(b.Memory()) != size {
			t.Errorf("the memory has %d bytes, or contains a part of the batch", len(b.Memory()))
		}
		if b.Discarded == nil || !strings.Contains(b.Discarded.Error(), "counted by their numbers") {
			t.Errorf("discarded: %v", b.Discarded)
		}
		if aside, err := os.ReadFile(path + asideSuffix); err != nil || !strings.Contains(string(aside), "a batch") {
			t.Errorf("the batch is not set aside: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		again, fresh := openInbox(t, path, size)
		if fresh || again.Discarded != nil {
			t.Errorf("the next process: fresh %v, discarded: %v", fresh, again.Discarded)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestInboxVersions: the batch of a later version is not used.
func TestInboxVersions(t *testing.T) {
	for _, c := range []struct {
		version uint64
		usable  bool
	}{{0, true}, {1, true}, {version, true}, {version + 1, false}} {
		path := filepath.Join(t.TempDir(), "inbox")
		old, _ := openInbox(t, path, 4096)
		old.header.generation.Store(7)
		old.SaveSnapshot(7, []byte("snapshot"))
		copy(old.Memory(), "a batch")
		old.header.version = c.version
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		b, fresh := openInbox(t, path, 4096)
		kept := !fresh && string(b.Memory()[:7]) == "a batch" && string(b.LoadSnapshot(7)) == "snapshot"
		if kept != c.usable || (b.Discarded == nil) != c.usable || b.header.version != version {
			t.Errorf("version %d: fresh %v, discarded: %v", c.version, fresh, b.Discarded)
		}
		if !c.usable && (b.LoadSnapshot(7) != nil || !strings.Contains(b.Discarded.Error(), "number is unknown")) {
			t.Errorf("version %d: snapshot %q, discarded: %v", c.version, b.LoadSnapshot(7), b.Discarded)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestUpgradeKeepsWhetherBatchIsJournaled: before version 2 the generation of the inbox was
// also that of the journal. A kill during the upgrade changes nothing.
func TestUpgradeKeepsWhetherBatchIsJournaled(t *testing.T) {
	for _, left := range []struct{ version, assigned, assignedFor uint64 }{
		{0, 0, 0}, {1, 0, 0}, {1, 7, 0}, {1, 7, 7}, {2, 7, 7},
	} {
		for _, size := range []int{4096, 8192} { // the second loses the batch, and needs the right snapshot
			for recovered, want := range map[uint64]bool{6: false, 7: true} {
				path := filepath.Join(t.TempDir(), "inbox")
				old, _ := openInbox(t, path, 4096)
				h := old.header
				h.generation.Store(7)
				h.assigned.Store(left.assigned)
				h.assignedFor.Store(left.assignedFor)
				h.version = left.version
				copy(old.Memory(), "a batch")
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
				b, _ := openInbox(t, path, size)
				if got := b.Settle(recovered); got != want {
					t.Errorf("%+v, %d bytes, generation %d recovered: journaled %v", left, size, recovered, got)
				}
				if size == 4096 && string(b.Memory()[:7]) != "a batch" {
					t.Errorf("%+v: the memory contains %q", left, b.Memory()[:7])
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestBatchIsNotTakenForOneOfALaterProcess: a process was killed before it wrote the batch. The
// next process did not write it either, and used its generation for another batch.
func TestBatchIsNotTakenForOneOfALaterProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	for i, recovered := range []uint64{0, 4, 5} {
		b, _ := openInbox(t, path, 4096)
		if b.Settle(recovered) {
			t.Errorf("process %d: the batch is journaled", i)
		}
		if i == 0 {
			b.BeginAppend().Store(5)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNextBatchIsNotJournaled: the journal has not assigned a generation to it, and it must not be taken
// for the batch before it.
func TestNextBatchIsNotJournaled(t *testing.T) {
	b, _ := openInbox(t, filepath.Join(t.TempDir(), "inbox"), 4096)
	for generation := uint64(1); generation < 5; generation++ {
		b.BeginAppend().Store(generation)
		if !b.header.settle(generation) {
			t.Errorf("batch %d is not journaled", generation)
		}
		b.Advance()
		if b.header.settle(generation) {
			t.Errorf("the batch after %d is journaled", generation)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
