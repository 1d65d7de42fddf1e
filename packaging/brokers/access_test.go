// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const (
	user     = "feed"
	password = "right-9f3b2c"
)

// The password is wrong, and then right, without a reload.
func credentialsAreWrong(t *testing.T, k *kind) {
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "wrong-51c7aa")
	s := newSession(t, k, underLoad, access{user: user, password: password}, clientAccess{user: user, passwordFile: file})
	s.awaitFailure()
	s.awaitFailure()
	s.nothingIsSettled()
	write(t, file, password)
	s.progress(1000)
	s.finish()
}

// nothingIsSettled checks that a broker that refuses the sink loses no event.
func (s *session) nothingIsSettled() {
	s.Helper()
	if c := s.counters(); c.Undelivered != c.Journaled {
		s.Fatalf("events have an outcome without access to the broker: %+v", c)
	}
}

// The certificate of the sink has expired, and is replaced; then that of the broker.
func certificatesExpire(t *testing.T, k *kind) {
	authority := sinktest.NewCA(t)
	dir := t.TempDir()
	server := &brokerTLS{authority.File, filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")}
	client := &clientTLS{authority.File, filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")}
	issue(t, authority, "server", time.Hour, server.cert, server.key)
	issue(t, authority, "client", -time.Minute, client.cert, client.key)
	s := newSession(t, k, underLoad, access{tls: server}, clientAccess{tls: client})
	s.awaitFailure()
	s.awaitFailure()
	s.nothingIsSettled()
	issue(t, authority, "client", time.Hour, client.cert, client.key)
	s.progress(1000)

	s.broker.kill()
	issue(t, authority, "server", -time.Minute, server.cert, server.key)
	s.broker.restart()
	s.awaitFailure()
	s.broker.kill()
	issue(t, authority, "server", time.Hour, server.cert, server.key)
	s.broker.restart()
	s.finish()
}

// issue replaces the files of a certificate. Brokers may run as another user.
func issue(t *testing.T, authority *sinktest.CA, name string, valid time.Duration, certFile, keyFile string) {
	t.Helper()
	cert, key := authority.Issue(t, name, valid)
	for from, to := range map[string]string{cert: certFile, key: keyFile} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, string(text))
	}
}

// write replaces a file at once.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
