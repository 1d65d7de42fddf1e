// SPDX-License-Identifier: Apache-2.0

package readfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOtherFileTypesAreRejectedWithoutBlocking(t *testing.T) {
	for name, create := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"device":    func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := create(path); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(20*time.Second, func() { panic(name + " blocks") })
			defer watchdog.Stop()
			if _, err := Prefix(path, 10); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want ErrNotRegular with the path", err)
			}
		})
	}
}

func TestAMissingFileIsDistinguished(t *testing.T) {
	dir := t.TempDir()
	if _, err := Prefix(filepath.Join(dir, "f"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Prefix(loop, 10); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link loop: %v", err)
	}
}

func TestPrefixIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{0: "", 4: "0123", 10: "0123456789", 100: "0123456789"} {
		if got, err := Prefix(path, limit); string(got) != want || err != nil {
			t.Errorf("limit %d: %q, %v, want %q", limit, got, err, want)
		}
	}
}

func TestAnAcceptedDeviceIsRead(t *testing.T) {
	text, info, err := PrefixIf("/dev/zero", 3, func(info fs.FileInfo) bool { return info.Name() == "zero" })
	if string(text) != "\x00\x00\x00" || err != nil || info.Mode()&fs.ModeDevice == 0 {
		t.Errorf("%q, %v, %v", text, info, err)
	}
}
