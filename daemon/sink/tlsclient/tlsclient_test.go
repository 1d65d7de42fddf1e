// SPDX-License-Identifier: Apache-2.0

package tlsclient

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestCheckNamesTheKeyThatDoesNotWork(t *testing.T) {
	dir := t.TempDir()
	missing, fifo, empty := filepath.Join(dir, "missing"), filepath.Join(dir, "fifo"), filepath.Join(dir, "empty")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "client", time.Hour)
	_, otherKey := ca.Issue(t, "other", time.Hour)
	for _, tt := range []struct {
		name      string
		o         Options
		key, text string
	}{
		{"good", Options{CA: ca.File, Cert: cert, Key: key}, "", ""},
		{"CA missing", Options{CA: missing}, "x.tls.ca", "no such file"},
		{"CA is a FIFO", Options{CA: fifo}, "x.tls.ca", "not a regular file"},
		{"CA is a directory", Options{CA: dir}, "x.tls.ca", "not a regular file"},
		{"CA is endless", Options{CA: "/dev/zero"}, "x.tls.ca", "not a regular file"},
		{"CA has none", Options{CA: empty}, "x.tls.ca", "does not contain a PEM certificate"},
		{"certificate missing", Options{Cert: missing, Key: key}, "x.tls.cert", "no such file"},
		{"certificate is a FIFO", Options{Cert: fifo, Key: key}, "x.tls.cert", "not a regular file"},
		{"key missing", Options{Cert: cert, Key: missing}, "x.tls.key", "no such file"},
		{"key is a FIFO", Options{Cert: cert, Key: fifo}, "x.tls.key", "not a regular file"},
		{"key of another", Options{Cert: cert, Key: otherKey}, "x.tls.cert", "does not match"},
		{"credential missing", Options{Missing: &sink.OptionError{Key: "key", Err: fs.ErrPermission}}, "x.tls.key", "permission denied"},
	} {
		watchdog := time.AfterFunc(20*time.Second, func() { panic(tt.name + " hangs") })
		err := tt.o.Check("x.tls")
		var got *sink.OptionError
		if errors.As(err, &got); err == nil != (tt.key == "") || err != nil && (got.Key != tt.key || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: got %v, want %s: %s", tt.name, err, tt.key, tt.text)
		}
		if _, err := tt.o.Config(); err == nil != (tt.key == "") {
			t.Errorf("%s: Config = %v", tt.name, err)
		}
		watchdog.Stop()
	}
}
