// SPDX-License-Identifier: Apache-2.0

// Package tmpfs mounts file systems in memory for tests, which need disks that become full or
// read-only.
package tmpfs

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

const source = "genltestd"

// Mount mounts a tmpfs on a new directory until the test ends. The options are those of
// mount(8), such as size=64k. Mount skips the test without the permission to mount.
func Mount(t testing.TB, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	MountOn(t, dir, options)
	return dir
}

// MountOn is Mount on an existing directory.
func MountOn(t testing.TB, dir, options string) {
	t.Helper()
	err := unix.Mount(source, dir, "tmpfs", 0, "mode=700,"+options)
	if errors.Is(err, unix.EPERM) {
		t.Skipf("mount a tmpfs: %v", err)
	}
	if err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// Remount changes the options of a mounted tmpfs, and its flags to 0 or unix.MS_RDONLY.
func Remount(t testing.TB, dir string, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount(source, dir, "tmpfs", unix.MS_REMOUNT|flags, options); err != nil {
		t.Fatalf("remount %s: %v", dir, err)
	}
}

// Shared returns a new directory on the tmpfs /dev/shm. It skips the test without /dev/shm.
func Shared(t testing.TB) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "genltestd-")
	if err != nil {
		t.Skipf("create a directory on a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
