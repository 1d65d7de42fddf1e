// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genltestd.yaml")
	if err := os.WriteFile(path, Reference(sinks.Kinds()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path, sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(sinks.Kinds()), got, ignoreSource); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestLoadBad(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(syscall.Mkfifo(in("fifo"), 0o600))
	check(os.Symlink("loop", in("loop")))
	check(os.WriteFile(in("large"), make([]byte, strict.MaxFile+5), 0o600))
	check(os.WriteFile(in("faulty"), []byte("logs: 1\n"), 0o600))
	check(os.WriteFile(in("secret"), nil, 0))

	tests := []struct {
		path, want string
		is         error
	}{
		{in("missing"), ": no such file or directory", fs.ErrNotExist},
		{in("faulty/x"), ": not a directory", syscall.ENOTDIR},
		{in("loop"), ": too many levels of symbolic links", syscall.ELOOP},
		{dir, ": not a regular file", nil},
		{in("fifo"), ": not a regular file", nil},
		{in("large"), ": the file is larger than 1MiB", nil},
		{in("faulty"), `:1:1: logs: unknown key; write "log"`, nil},
		{in("secret"), ": permission denied", fs.ErrPermission},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.path), func(t *testing.T) {
			if errors.Is(tt.is, fs.ErrPermission) && os.Getuid() == 0 {
				t.Skip("root may read everything")
			}
			watchdog := time.AfterFunc(10*time.Second, func() { panic("Load hangs") })
			defer watchdog.Stop()
			_, err := Load(tt.path, sinks.Kinds())
			if err == nil || err.Error() != tt.path+tt.want {
				t.Errorf("got error %v, want %s%s", err, tt.path, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}
