// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// startTLS starts a server that requires certificates of the authority.
func startTLS(t *testing.T, ca *sinktest.CA, valid time.Duration, more string) *server {
	t.Helper()
	cert, key := ca.Issue(t, "server", valid)
	files := fmt.Sprintf("cert_file: %q, key_file: %q, ca_file: %q", cert, key, ca.File)
	return startServer(t, fmt.Sprintf("tls { %s, verify: true, timeout: 5, %s }", files, more))
}

func (s *server) tlsURL() value.Address { return value.Address("tls://" + s.address) }

// checkRefused checks that an attempt fails, and is retried.
func checkRefused(t *testing.T, c *Config, want ...string) {
	t.Helper()
	n, err := attempt(t, newSink(t, c), sinktest.Events(1, 10))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 {
		t.Fatalf("%d accepted, %v", n, err)
	}
	for _, text := range want {
		if strings.Contains(err.Error(), text) {
			return
		}
	}
	t.Errorf("no text of %q is in %v", want, err)
}

func TestTLSFaults(t *testing.T) {
	ca, other := sinktest.NewCA(t), sinktest.NewCA(t)
	server := startTLS(t, ca, time.Hour, "")
	plain := startServer(t, "")
	cert, key := ca.Issue(t, "client", time.Hour)
	otherCert, otherKey := other.Issue(t, "client", time.Hour)
	oldCert, oldKey := ca.Issue(t, "old", -time.Hour)
	refused := []string{"certificate", "reset", "EOF", "broken"} // the connection may end before the alert is read
	for name, tt := range map[string]struct {
		address value.Address
		tls     value.TLS
		want    []string
	}{
		"unknown authority":     {server.tlsURL(), sinktest.TLS(other.File, cert, key), []string{"unknown authority"}},
		"no certificate":        {server.tlsURL(), sinktest.TLS(ca.File, "", ""), refused},
		"another's certificate": {server.tlsURL(), sinktest.TLS(ca.File, otherCert, otherKey), refused},
		"expired certificate":   {server.tlsURL(), sinktest.TLS(ca.File, oldCert, oldKey), refused},
		"server without TLS":    {plain.tlsURL(), sinktest.TLS(ca.File, cert, key), []string{"does not offer TLS"}},
		"client without TLS":    {server.url(), value.TLS{}, []string{"unknown authority"}},
		"missing file":          {server.tlsURL(), sinktest.TLS(ca.File+".missing", cert, key), []string{"no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(tt.address)
			c.TLS = tt.tls
			checkRefused(t, c, tt.want...)
		})
	}
}

func TestExpiredServerCertificateIsRefusedUntilItIsRenewed(t *testing.T) {
	ca := sinktest.NewCA(t)
	server := startTLS(t, ca, -time.Hour, "")
	cert, key := ca.Issue(t, "client", time.Hour)
	c := config(server.tlsURL())
	c.TLS = sinktest.TLS(ca.File, cert, key)
	checkRefused(t, c, "expired")
	ca.Issue(t, "server", time.Hour)
	server.Restart()
	_, js := client(t, string(server.tlsURL()), nats.RootCAs(ca.File), nats.ClientCert(cert, key))
	createStream(t, js, nil)
	deliver(t, newSink(t, c), sinktest.Events(1, 100))
	checkExactlyOnce(t, stored(t, js), 100)
}

// The connection would work for hours, but its certificate was replaced.
func TestRotatedCertificateIsUsedWithoutLoss(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls_first %v", first), func(t *testing.T) {
			ca := sinktest.NewCA(t)
			server := startTLS(t, ca, time.Hour, fmt.Sprintf("handshake_first: %v", first))
			cert, key := ca.Issue(t, "client", time.Hour)
			options := []nats.Option{nats.RootCAs(ca.File), nats.ClientCert(cert, key)}
			if first {
				options = append(options, nats.TLSHandshakeFirst())
			}
			_, js := client(t, string(server.tlsURL()), options...)
			createStream(t, js, nil)
			c := config(server.tlsURL())
			c.TLS, c.TLSFirst = sinktest.TLS(ca.File, cert, key), first
			s := newSink(t, c)
			deliver(t, s, sinktest.Events(1, 500))
			before := s.link
			deliver(t, s, sinktest.Events(501, 500))
			if s.link != before {
				t.Error("the connection was replaced without a reason")
			}
			ca.Issue(t, "client", time.Hour)
			deliver(t, s, sinktest.Events(1001, 500))
			if s.link == before {
				t.Error("the connection with the replaced certificate is still in use")
			}
			checkExactlyOnce(t, stored(t, js), 1500)
		})
	}
}

// A server in lame duck mode closes its connections after a while. The sink leaves it before.
func TestLameDuckServerIsLeft(t *testing.T) {
	lame, other := startServer(t, "lame_duck_duration: 60s\nlame_duck_grace_period: 1s"), startServer(t, "")
	for _, s := range []*server{lame, other} {
		_, js := client(t, string(s.url()))
		createStream(t, js, nil)
	}
	c := config(lame.url())
	s := newSink(t, c)
	deliver(t, s, sinktest.Events(1, 100))
	if err := syscall.Kill(lame.Pid(), syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the sink knows that the server is about to stop", s.link.retired.Load)
	c.Addresses = append(c.Addresses, other.url())
	if failures := deliver(t, s, sinktest.Events(101, 100)); len(failures) > 0 {
		t.Error(failures)
	}
	if s.link.address != other.url() {
		t.Errorf("the sink is connected to %s", s.link.address)
	}
}
