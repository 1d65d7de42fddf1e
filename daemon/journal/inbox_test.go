// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func openInbox(t *testing.T, path string, size int) (*Inbox, bool) {
	t.Helper()
	b, fresh, err := OpenInbox(path, size)
	if err != nil {
		t.Fatal(err)
	}
	return b, fresh
}

func TestInboxKeepsWhatItHoldsWithoutBeingClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inbox")
	const size = 100_000
	b, fresh := openInbox(t, path, size)
	if !fresh || len(b.Memory()) != size || b.Generation() != 0 || b.Note() != 0 {
		t.Fatalf("new inbox: fresh %v, %d bytes, generation %d, note %d", fresh, len(b.Memory()), b.Generation(), b.Note())
	}
	copy(b.Memory()[size-5:], "hello")
	b.SetNote(34)
	b.SetGeneration(7)
	// Not closed: the process was killed.
	again, fresh := openInbox(t, path, size)
	if fresh || again.Generation() != 7 || again.Note() != 34 || string(again.Memory()[size-5:]) != "hello" {
		t.Errorf("fresh %v, generation %d, note %d, memory %q", fresh, again.Generation(), again.Note(), again.Memory()[size-5:])
	}
	for _, b := range []*Inbox{b, again} {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInboxThatCannotBeUsedIsMadeAnew(t *testing.T) {
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

func TestInboxWithoutRoomIsAnErrorAndNoFaultLater(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("mounting a tmpfs needs root")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH) //nolint:errcheck // the directory goes with the test
	if _, _, err := OpenInbox(filepath.Join(dir, "inbox"), 1<<20); err == nil {
		t.Error("1 MiB were mapped on a file system of 64 KiB")
	}
	if _, _, err := OpenInbox(filepath.Join(dir, "no", "inbox"), 100); err == nil {
		t.Error("no error without the directory")
	}
}
