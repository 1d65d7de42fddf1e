// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// serverConfig presents a certificate of ca, and requires one of ca if clients is true.
func serverConfig(t *testing.T, ca *sinktest.CA, name string, valid time.Duration, clients bool) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(ca.Issue(t, name, valid))
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if clients {
		text, err := os.ReadFile(ca.File)
		if err != nil {
			t.Fatal(err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		c.ClientCAs.AppendCertsFromPEM(text)
	}
	return c
}

func TestTLSFaults(t *testing.T) {
	ca, other := sinktest.NewCA(t), sinktest.NewCA(t)
	good := serverConfig(t, ca, "good", time.Hour, false)
	expired := serverConfig(t, ca, "expired", -time.Hour, false)
	mutual := serverConfig(t, ca, "mutual", time.Hour, true)
	otherCert, otherKey := other.Issue(t, "client", time.Hour)
	oldCert, oldKey := ca.Issue(t, "old-client", -time.Hour)
	missing := ca.File + ".missing"
	tests := []struct {
		name   string
		server *tls.Config // nil: without TLS
		client value.TLS
		want   string
	}{
		{"no TLS", nil, sinktest.TLS(ca.File, "", ""), "first record does not look like a TLS handshake"},
		{"unknown authority", good, sinktest.TLS(other.File, "", ""), "unknown authority"},
		{"not the system's", good, value.TLS{}, "unknown authority"},
		{"wrong name", good, value.TLS{CA: value.TLSFile{File: ca.File}, ServerName: "elsewhere.example"}, "not elsewhere.example"},
		{"expired", expired, sinktest.TLS(ca.File, "", ""), "expired"},
		{
			"old version", &tls.Config{Certificates: good.Certificates, MaxVersion: tls.VersionTLS11}, sinktest.TLS(ca.File, "", ""),
			"protocol version",
		},
		{"no certificate", mutual, sinktest.TLS(ca.File, "", ""), "certificate required"},
		{"another's certificate", mutual, sinktest.TLS(ca.File, otherCert, otherKey), "certificate"},
		{"expired certificate", mutual, sinktest.TLS(ca.File, oldCert, oldKey), "certificate"},
		{"file is missing", good, sinktest.TLS(missing, "", ""), "no such file"},
		{"key of another", good, sinktest.TLS(ca.File, oldCert, otherKey), "does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := startFaultServer(t, tt.server)
			s := newSink(t, Config{URL: value.Inline(strings.Replace(f.URL, "http:", "https:", 1)), TLS: tt.client})
			reported := false
			for range 50 { // an alert may arrive too late for the error
				n, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout)
				if n != 0 || err == nil || sink.Poisoned(err) != 0 {
					t.Fatalf("accepted %d, %v", n, err)
				}
				if reported = strings.Contains(err.Error(), tt.want); reported {
					break
				}
			}
			if !reported {
				t.Errorf("no error contains %q", tt.want)
			}
			f.requests(t, 0)
		})
	}
}

// A tlsServer supports HTTP/2 and records the certificates of clients.
type tlsServer struct {
	*httptest.Server
	mu       sync.Mutex
	protocol []string
	serials  []string
	remotes  map[string]bool
	slow     func() // called when a request for /slow arrives, which is not answered
}

func newTLSServer(t *testing.T, c *tls.Config) *tlsServer {
	s := &tlsServer{remotes: make(map[string]bool)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := decoded(r); err != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.protocol = append(s.protocol, r.Proto)
		s.remotes[r.RemoteAddr] = true
		for _, cert := range r.TLS.PeerCertificates {
			s.serials = append(s.serials, cert.SerialNumber.String())
		}
		if r.URL.Path == "/slow" {
			s.slow()
			s.mu.Unlock()
			<-r.Context().Done()
			s.mu.Lock()
		}
	}))
	s.TLS = c
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestHTTP2OnOneConnection(t *testing.T) {
	ca := sinktest.NewCA(t)
	server := newTLSServer(t, serverConfig(t, ca, "server", time.Hour, false))
	s := newSink(t, Config{URL: value.Inline(server.URL), TLS: sinktest.TLS(ca.File, "", "")})
	for i := range 10 {
		deliver(t, s, sinktest.Events(i*500, 500))
	}
	if len(server.protocol) != 10 || server.protocol[9] != "HTTP/2.0" || len(server.remotes) != 1 {
		t.Errorf("%q over %d connections", server.protocol, len(server.remotes))
	}
}

// With HTTP/2 a request that hangs does not end its connection, and the next attempt would hang
// too.
func TestHTTP2HangsAndRecovers(t *testing.T) {
	ca := sinktest.NewCA(t)
	server := newTLSServer(t, serverConfig(t, ca, "server", time.Hour, false))
	file := t.TempDir() + "/url"
	write(t, file, server.URL+"/slow")
	s := newSink(t, Config{URL: value.Secret{File: file}, TLS: sinktest.TLS(ca.File, "", "")})
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), attemptTimeout)
		server.slow = cancel
		if n, err := s.Deliver(ctx, sinktest.Events(1, 2)); n != 0 || !errors.Is(err, context.Canceled) {
			t.Fatalf("accepted %d, %v", n, err)
		}
	}
	write(t, file, server.URL+"/")
	deliver(t, s, sinktest.Events(1, 2))
	if len(server.protocol) != 4 || len(server.remotes) != 4 {
		t.Errorf("%d requests over %d connections, want 4 each", len(server.protocol), len(server.remotes))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The connection would work for hours, but its certificate is no longer valid.
func TestRotatedCertificateClosesIdleConnections(t *testing.T) {
	ca := sinktest.NewCA(t)
	server := newTLSServer(t, serverConfig(t, ca, "server", time.Hour, true))
	cert, key := ca.Issue(t, "client", time.Hour)
	s := newSink(t, Config{URL: value.Inline(server.URL), TLS: sinktest.TLS(ca.File, cert, key)})
	deliver(t, s, sinktest.Events(1, 2))
	deliver(t, s, sinktest.Events(3, 2))
	ca.Issue(t, "client", time.Hour)
	deliver(t, s, sinktest.Events(5, 2))
	if len(server.serials) != 3 || server.serials[0] != server.serials[1] || server.serials[1] == server.serials[2] {
		t.Errorf("the certificates had the serial numbers %v", server.serials)
	}
}

func TestRotatedAuthorityIsUsedImmediately(t *testing.T) {
	before, after := sinktest.NewCA(t), sinktest.NewCA(t)
	server := newTLSServer(t, serverConfig(t, after, "server", time.Hour, false))
	s := newSink(t, Config{URL: value.Inline(server.URL), TLS: sinktest.TLS(before.File, "", "")})
	if n, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout); n != 0 || err == nil {
		t.Fatalf("accepted %d, %v", n, err)
	}
	text, err := os.ReadFile(after.File)
	if err != nil {
		t.Fatal(err)
	}
	write(t, before.File, string(text))
	deliver(t, s, sinktest.Events(1, 2))
}
