// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// A drop-in that cannot be read is an error, not ignored.
func TestUnreadableDropInsAreErrors(t *testing.T) {
	tests := []struct {
		name string
		make func() error
		want string
	}{
		{"fifo", func() error { return syscall.Mkfifo("g.d/b.yaml", 0o600) }, "g.d/b.yaml: not a regular file"},
		{"file for the directory", func() error {
			return errors.Join(os.Remove("g.d"), os.WriteFile("g.d", nil, 0o600))
		}, "g.d: not a directory"},
		{"fifo for the directory", func() error { return errors.Join(os.Remove("g.d"), syscall.Mkfifo("g.d", 0o600)) }, "g.d: not a directory"},
		{"link to nothing for the directory", func() error {
			return errors.Join(os.Remove("g.d"), os.Symlink("nothing", "g.d"))
		}, "g.d: no such file or directory"},
		{"link to nothing", func() error { return os.Symlink("..data/b.yaml", "g.d/b.yaml") }, "g.d/b.yaml: no such file or directory"},
		{
			"odd name", func() error { return os.WriteFile("g.d/b\n.yaml", nil, 0o600) },
			`g.d: the name "b\n.yaml" has a character that it may not have; rename the file`,
		},
		{
			"large", func() error { return os.WriteFile("g.d/b.yaml", make([]byte, strict.MaxFile+5), 0o600) },
			"g.d/b.yaml: the file is larger than 1MiB",
		},
		{"large together", func() error {
			var errs []error
			for i := range 5 {
				errs = append(errs, os.WriteFile(fmt.Sprintf("g.d/%d.yaml", i), []byte(strings.Repeat("#", strict.MaxFile)), 0o600))
			}
			return errors.Join(errs...)
		}, "g.d/4.yaml: with this file all together are larger than 4MiB"},
		{"many", func() error {
			var errs []error
			for i := range maxDropIns + 1 {
				errs = append(errs, os.WriteFile(fmt.Sprintf("g.d/%d.yaml", i), nil, 0o600))
			}
			return errors.Join(errs...)
		}, "g.d: has 257 files; put them into at most 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			watchdog := time.AfterFunc(20*time.Second, func() { panic("Load hangs") })
			defer watchdog.Stop()
			t.Chdir(t.TempDir())
			files(t, map[string]string{"g.yaml": "", "g.d/x": ""})
			if err := errors.Join(os.Remove("g.d/x"), tt.make()); err != nil {
				t.Fatal(err)
			}
			_, err := Load("g.yaml", sinks.Kinds())
			if errs := Errors(nil); !errors.As(err, &errs) || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDropInsWithoutPermission(t *testing.T) {
	t.Chdir(t.TempDir())
	files(t, map[string]string{"g.yaml": "", "g.d/b.yaml": "", "h.yaml": "", "h.d/b.yaml": ""})
	for name, mode := range map[string]os.FileMode{"g.yaml": 0o644, "g.d": 0o755, "g.d/b.yaml": 0, "h.yaml": 0o644, "h.d": 0} {
		chmod(t, name, mode)
	}
	t.Cleanup(func() { chmod(t, "h.d", 0o700) }) // so that the cleanup can remove it
	if os.Getuid() == 0 {                        // root can read everything
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = syscall.Setfsuid(0) }() // restores the user
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"g.yaml": "g.d/b.yaml: permission denied", "h.yaml": "h.d: permission denied"} {
		if _, err := Load(path, sinks.Kinds()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDropInDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	const sink = "sinks: [{name: a, stdout: {}}]"
	files(t, map[string]string{
		"a.yaml": "", "a.d/a.yaml": sink, "b": "", "b.d/a.yaml": sink, "c.conf": "", "c.d/a.yaml": sink, "d.d": sink,
		"x/a.b.yaml": "", "x/a.b.d/a.yaml": sink,
	})
	for _, path := range []string{"a.yaml", "./a.yaml", "b", "c.conf", "d.d", "x/a.b.yaml"} {
		if c, err := Load(path, sinks.Kinds()); err != nil || c.Sinks[0].Name != "a" {
			t.Errorf("%s: no drop-in, %v", path, err)
		}
	}
}

// The layout of a ConfigMap that Kubernetes mounts.
func TestLinkedDropIns(t *testing.T) {
	t.Chdir(t.TempDir())
	files(t, map[string]string{"g.yaml": "", "g.d/..1/b.yaml": "sinks: [{name: b, stdout: {}}]"})
	if err := errors.Join(os.Symlink("..1", "g.d/..data"), os.Symlink("..data/b.yaml", "g.d/b.yaml")); err != nil {
		t.Fatal(err)
	}
	if c, err := Load("g.yaml", sinks.Kinds()); err != nil || len(c.Sinks) != 1 || c.Sinks[0].Name != "b" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// Only a path that does not exist is optional.
func TestLoadOptional(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Load("g.yaml", sinks.Kinds()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load without a file: %v", err)
	}
	c, err := LoadOptional("g.yaml", sinks.Kinds())
	if err != nil || c.Files() != nil || c.Sinks[0].Name != "stdout" {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	if err := os.Symlink("nothing", "g.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOptional("g.yaml", sinks.Kinds()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nothing: %v", err)
	}
}

// A missing drop-in is not a missing main file, for which defaults exist.
func TestMissingDropInIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	files(t, map[string]string{"g.yaml": "", "g.d/.x": ""})
	if err := os.Symlink("nothing", "g.d/b.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOptional("g.yaml", sinks.Kinds()); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	t.Chdir(t.TempDir())
	files(t, map[string]string{"g.yaml": "a", "other": "bb", "g.d/..1/x.yaml": "x", "g.d/..2/x.yaml": "y"})
	must := func(errs ...error) {
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("..1", "g.d/..data"), os.Symlink("..data/x.yaml", "g.d/x.yaml"))
	seen := make(map[string]string)
	for _, step := range []struct {
		what string
		do   func()
		same bool
	}{
		{"first", func() {}, false},
		{"again", func() {}, true},
		{"touched", func() { must(os.Chtimes("g.yaml", time.Now(), time.Unix(1, 0))) }, true},
		{"a backup", func() { must(os.WriteFile("g.d/x.yaml~", []byte("a"), 0o600)) }, true},
		{"rewritten with the same length", func() { must(os.WriteFile("g.yaml", []byte("b"), 0o600)) }, false},
		{"renamed into its place", func() { must(os.Rename("other", "g.yaml")) }, false},
		{"link swapped", func() { must(os.Symlink("..2", "g.d/..new"), os.Rename("g.d/..new", "g.d/..data")) }, false},
		{"drop-in added", func() { must(os.WriteFile("g.d/y.yaml", nil, 0o600)) }, false},
		{"drop-in renamed", func() { must(os.Rename("g.d/y.yaml", "g.d/z.yaml")) }, false},
		{"drop-in with another name", func() { must(os.WriteFile("g.d/z.yml", nil, 0o600)) }, false},
		{"main file removed", func() { must(os.Remove("g.yaml")) }, false},
		{"link to nothing", func() { must(os.Remove("g.d/..data")) }, false},
		{"directory removed", func() { must(os.RemoveAll("g.d")) }, false},
	} {
		step.do()
		got := Fingerprint("g.yaml")
		if before, ok := seen[got]; ok != step.same {
			t.Errorf("%s: the same as before (%q): %v, want %v", step.what, before, ok, step.same)
		}
		seen[got] = step.what
	}
}
