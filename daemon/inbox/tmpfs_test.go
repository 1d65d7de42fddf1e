// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/tmpfs"
)

// TestReceiveIntoTmpfsInboxCausesNoPageFault: a page fault in recvmmsg(2) fails
// when the process is being killed, and the message that was being copied is lost.
func TestReceiveIntoTmpfsInboxCausesNoPageFault(t *testing.T) {
	runtime.LockOSThread() // the faults are counted by thread
	defer runtime.UnlockOSThread()
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(zero)
	path := filepath.Join(tmpfs.Shared(t), "inbox")
	fresh, _ := openInbox(t, path, 64*4096) // clears the memory, and so allocates its pages
	if err := fresh.Close(); err != nil {
		t.Fatal(err)
	}
	var faults int64
	for range 10 { // the runtime may fault by itself between the two counts
		b, _ := openInbox(t, path, 64*4096)
		if b.OnDisk {
			t.Fatal("an inbox on a tmpfs counts as one on a disk")
		}
		before := pageFaults(t)
		for memory := b.Memory(); len(memory) > 0; { // a signal of the runtime cuts a read short
			n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(zero), uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)))
			if errno != 0 || n == 0 {
				t.Fatalf("read %d bytes, %v", n, errno)
			}
			memory = memory[n:]
		}
		faults = pageFaults(t) - before
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if faults == 0 {
			return
		}
	}
	t.Errorf("%d page faults while the kernel wrote 64 pages", faults)
}

// TestInboxOnDiskIsReported: only a tmpfs keeps its pages writable.
func TestInboxOnDiskIsReported(t *testing.T) {
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		t.Skip("the directory for temporary files is in memory")
	}
	b, _ := openInbox(t, filepath.Join(dir, "inbox"), 4096)
	if !b.OnDisk {
		t.Error("an inbox on a disk counts as one on a tmpfs")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// pageFaults returns how many page faults the calling thread has had.
func pageFaults(t *testing.T) int64 {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Minflt + usage.Majflt
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mustReturn fails the test if f does not return.
func mustReturn(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("f does not return")
	}
}
