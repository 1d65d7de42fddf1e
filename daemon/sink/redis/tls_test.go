// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// startTLS starts a server with a second port for TLS, and returns the address of that port.
func startTLS(t *testing.T, ca *sinktest.CA, clients string) (s *server, address value.Address) {
	t.Helper()
	place := sinktest.FreeAddress(t)
	_, port, err := net.SplitHostPort(place)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := ca.Issue(t, "server", time.Hour)
	s = startServer(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.File,
		"--tls-auth-clients", clients)
	return s, value.Address(schemeTLS + "://" + place)
}

// replaceCertificate replaces the certificate of the server and ends its connections.
func (s *server) replaceCertificate(t *testing.T, ca *sinktest.CA, valid time.Duration) {
	t.Helper()
	cert, key := ca.Issue(t, "server", valid)
	s.must(t, "CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key)
	s.must(t, "CLIENT", "KILL", "TYPE", "normal")
}

func TestCertificateOfTheServerExpires(t *testing.T) {
	ca := sinktest.NewCA(t)
	s, address := startTLS(t, ca, "no")
	c := defaulted(address)
	c.TLS = sinktest.TLS(ca.File, "", "")
	k := newSink(t, c)
	delivers(t, k, 1, 3)
	s.replaceCertificate(t, ca, -time.Minute)
	refusesWith(t, k, "TLS", "expired")
	s.replaceCertificate(t, ca, time.Hour)
	delivers(t, k, 4, 3)
	stored(t, s, 6)
}

func TestCertificateOfTheClientIsReplaced(t *testing.T) {
	ca, other := sinktest.NewCA(t), sinktest.NewCA(t)
	s, address := startTLS(t, ca, "yes")
	cert, key := ca.Issue(t, "client", time.Hour)
	c := defaulted(address)
	c.TLS = sinktest.TLS(ca.File, cert, key)
	k := newSink(t, c)
	delivers(t, k, 1, 3)
	ca.Issue(t, "client", -time.Minute) // the connection that uses the old one stays open
	refusesWith(t, k, "certificate")
	ca.Issue(t, "client", time.Hour)
	delivers(t, k, 4, 3)
	c.TLS.Cert.File, c.TLS.Key.File = other.Issue(t, "client", time.Hour)
	refusesWith(t, newSink(t, c), "unknown certificate authority")
	c.TLS = sinktest.TLS(other.File, "", "")
	refusesWith(t, newSink(t, c), "certificate")
	stored(t, s, 6)
}

func TestTLSAndPlainPortsAreConfused(t *testing.T) {
	ca := sinktest.NewCA(t)
	s, address := startTLS(t, ca, "no")
	_, place := address.Split()
	refusesWith(t, newSink(t, defaulted(value.Address("redis://"+place))), "redis://"+place)
	c := defaulted(value.Address(schemeTLS + "://" + s.address))
	c.TLS = sinktest.TLS(ca.File, "", "")
	n, err := within(t, 100*time.Millisecond, newSink(t, c), sinktest.Events(1, 1)) // Redis waits for the rest of a command
	if n != 0 || err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("accepted %d events, %v", n, err)
	}
}
