// SPDX-License-Identifier: Apache-2.0

package tlsclient

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestCheckNamesTheInvalidKey(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	missing, fifo, empty, large := filepath.Join(dir, "missing"), filepath.Join(dir, "fifo"), filepath.Join(dir, "empty"),
		filepath.Join(dir, "large")
	ca := sinktest.NewCA(t)
	pem, err := os.ReadFile(ca.File)
	if err = errors.Join(err, unix.Mkfifo(fifo, 0o600), os.WriteFile(empty, nil, 0o600), os.WriteFile(large, pem, 0o600),
		os.Truncate(large, maxBytes+1)); err != nil {
		t.Fatal(err)
	}
	cert, key := ca.Issue(t, "client", time.Hour)
	_, otherKey := ca.Issue(t, "other", time.Hour)
	tooLarge := large + " is larger than 1048576 bytes; keep only the PEM blocks that the connection needs"
	credential := func(name string) value.TLSFile { return value.TLSFile{Credential: name} }
	files := sinktest.TLS
	for _, tt := range []struct {
		name      string
		tls       value.TLS
		key, text string
	}{
		{"good", files(ca.File, cert, key), "", ""},
		{"no key", files("", cert, ""), "", ""},
		{"CA missing", files(missing, "", ""), "x.tls.ca", "no such file"},
		{"CA is a FIFO", files(fifo, "", ""), "x.tls.ca", "not a regular file"},
		{"CA is a directory", files(dir, "", ""), "x.tls.ca", "not a regular file"},
		{"CA is endless", files("/dev/zero", "", ""), "x.tls.ca", "not a regular file"},
		{"CA is empty", files(empty, "", ""), "x.tls.ca", "does not contain a PEM certificate"},
		{"CA is too large", files(large, "", ""), "x.tls.ca", tooLarge},
		{"certificate missing", files("", missing, key), "x.tls.cert", "no such file"},
		{"certificate is a FIFO", files("", fifo, key), "x.tls.cert", "not a regular file"},
		{"certificate is too large", files("", large, key), "x.tls.cert", tooLarge},
		{"key missing", files("", cert, missing), "x.tls.key", "no such file"},
		{"key is a FIFO", files("", cert, fifo), "x.tls.key", "not a regular file"},
		{"key is too large", files("", cert, large), "x.tls.key", tooLarge},
		{"key of another", files("", cert, otherKey), "x.tls.cert", "does not match"},
		{"credential", value.TLS{CA: credential("empty")}, "x.tls.ca", "does not contain a PEM certificate"},
		{
			"credential missing",
			value.TLS{Cert: value.TLSFile{File: cert}, Key: credential("none")},
			"x.tls.key",
			"LoadCredential=none:PATH",
		},
	} {
		watchdog := time.AfterFunc(20*time.Second, func() { panic(tt.name + " hangs") })
		err := Check(&tt.tls, "x.tls")
		var got *sink.OptionError
		if errors.As(err, &got); err == nil != (tt.key == "") ||
			err != nil && (got.Key != tt.key || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: got %v, want %s: %s", tt.name, err, tt.key, tt.text)
		}
		if _, err := Config(&tt.tls); err == nil != (tt.key == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: Config = %v", tt.name, err)
		}
		watchdog.Stop()
	}
}

// A server would reject it. Config accepts it, because the clock may be wrong after a boot.
func TestCheckReportsAnExpiredCertificate(t *testing.T) {
	cert, key := sinktest.NewCA(t).Issue(t, "client", -time.Hour)
	expired := sinktest.TLS("", cert, key)
	if _, err := Config(&expired); err != nil {
		t.Errorf("Config: %v", err)
	}
	if err := Check(&expired, "x.tls"); err == nil || !strings.Contains(err.Error(), " expired on ") {
		t.Errorf("Check: %v", err)
	}
}

func TestCredentialIsUnverifiableOutsideTheService(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if err := Check(&value.TLS{CA: value.TLSFile{Credential: "ca"}}, "x.tls"); !errors.Is(err, secret.ErrOutside) {
		t.Errorf("got %v", err)
	}
}

func TestVersionChangesWithFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	path := filepath.Join(dir, "ca")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tls := range map[string]*value.TLS{
		"file":       {CA: value.TLSFile{File: path}},
		"credential": {CA: value.TLSFile{Credential: "ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			write(path, "one")
			before := VersionOf(tls)
			if !before.Equal(VersionOf(tls)) {
				t.Error("a file that was not changed has another version")
			}
			write(path, "two, which is longer")
			if before.Equal(VersionOf(tls)) {
				t.Error("a file that was changed has the same version")
			}
			before = VersionOf(tls)
			write(path+".new", "two, which is longer")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			if before.Equal(VersionOf(tls)) {
				t.Error("a file that was replaced has the same version")
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if missing := VersionOf(tls); missing.Equal(missing) {
				t.Error("a missing file counts as unchanged")
			}
		})
	}
	if none := (&value.TLS{}); !VersionOf(none).Equal(VersionOf(none)) {
		t.Error("settings without files have changed")
	}
}

func TestHandshakeVerifiesTheNameOfThePlace(t *testing.T) {
	l, address, ca := sinktest.Listen(t, "tls")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go conn.(*tls.Conn).Handshake() // the client reports its error
		}
	}()
	for name, valid := range map[string]bool{"": true, "another.example.com": false} {
		settings := value.TLS{CA: value.TLSFile{File: ca}, ServerName: name}
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if _, err := Handshake(t.Context(), raw, &settings, address); (err == nil) != valid {
			t.Errorf("server_name %q: %v", name, err)
		}
	}
}
