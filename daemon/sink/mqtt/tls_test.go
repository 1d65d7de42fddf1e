// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A secured broker requires a client certificate.
type secured struct {
	*broker
	ca           *sinktest.CA
	server, user value.TLS
}

func startSecured(t *testing.T, valid time.Duration, lines ...string) *secured {
	t.Helper()
	s := &secured{ca: sinktest.NewCA(t)}
	cert, key := s.ca.Issue(t, "server", valid)
	s.server = sinktest.TLS(s.ca.File, cert, key)
	cert, key = s.ca.Issue(t, "sink", time.Hour)
	s.user = sinktest.TLS(s.ca.File, cert, key)
	s.broker = startBroker(t, append(lines,
		"cafile "+s.ca.File, "certfile "+s.server.Cert.File, "keyfile "+s.server.Key.File, "require_certificate true")...)
	return s
}

func (s *secured) config() *Config {
	c := configFor(s.address)
	c.Addresses, c.TLS = []value.Address{value.Address("mqtts://" + s.address)}, s.user
	return c
}

// watch starts a witness with a certificate of its own.
func (s *secured) watch(t *testing.T) *witness {
	t.Helper()
	cert, roots := s.ca.Certificate(t, "witness", time.Hour), x509.NewCertPool()
	pem, err := os.ReadFile(s.ca.File)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS12}
	w := &witness{filter: "#", stop: make(chan struct{}), dial: func() (net.Conn, error) { return tls.Dial("tcp", s.address, config) }}
	w.start(t)
	return w
}

func TestMutualTLS(t *testing.T) {
	s := startSecured(t, time.Hour)
	w := s.watch(t)
	if n, err := newSink(t, s.config()).Deliver(t.Context(), sinktest.Events(1, 100)); n != 100 || err != nil {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	w.await(t, 100)
}

func TestFaultsOfTLSAreRetried(t *testing.T) {
	s := startSecured(t, time.Hour)
	other := sinktest.NewCA(t)
	cert, key := other.Issue(t, "sink", time.Hour)
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"authority":      {func(c *Config) { c.TLS.CA.File = other.File }, "certificate signed by unknown authority"},
		"name":           {func(c *Config) { c.TLS.ServerName = "other.example" }, "not other.example"},
		"no certificate": {func(c *Config) { c.TLS = sinktest.TLS(s.ca.File, "", "") }, "certificate required"},
		"certificate":    {func(c *Config) { c.TLS = sinktest.TLS(s.ca.File, cert, key) }, "unknown certificate authority"},
		"file":           {func(c *Config) { c.TLS.CA.File = "/nonexistent" }, "no such file"},
		"not TLS": {func(c *Config) {
			c.Addresses[0] = value.Address(strings.Replace(string(c.Addresses[0]), "mqtts", "mqtt", 1))
		}, "await CONNACK"},
	} {
		c := s.config()
		tt.change(c)
		n, err := newSink(t, c).Deliver(t.Context(), sinktest.Events(1, 3))
		if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: accepted %d events, %v", name, n, err)
		}
	}
}

// Events wait until the certificate of the broker is renewed.
func TestExpiredCertificateOfTheBroker(t *testing.T) {
	s := startSecured(t, -time.Hour)
	sender := newSink(t, s.config())
	n, err := sender.Deliver(t.Context(), sinktest.Events(1, 3))
	if n != 0 || err == nil || !strings.Contains(err.Error(), "expired") {
		t.Fatalf("accepted %d events, %v", n, err)
	}
	s.ca.Issue(t, "server", time.Hour)
	s.Restart()
	if n, err := sender.Deliver(t.Context(), sinktest.Events(1, 3)); n != 3 || err != nil {
		t.Errorf("then accepted %d events, %v", n, err)
	}
}
