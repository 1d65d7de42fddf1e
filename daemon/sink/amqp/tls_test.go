// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// overTLS is the configuration of a sink that trusts the broker's authority.
func (q *queue) overTLS(t *testing.T) *Config {
	t.Helper()
	c := q.config()
	q.proxy = faultproxy.New(t, q.broker.TLS)
	c.Addresses = []value.Address{value.Address("amqps://" + q.proxy.Addr())}
	c.TLS = sinktest.TLS(q.broker.ca.File, "", "")
	return c
}

// external changes the configuration to the certificate of a client.
func (c *Config) external(cert, key string) *Config {
	c.Mechanism, c.User, c.Password = mechanismExternal, "", value.Secret{}
	c.TLS.Cert.File, c.TLS.Key.File = cert, key
	return c
}

func TestTLSFaults(t *testing.T) {
	b := shared(t)
	other := sinktest.NewCA(t)
	otherCert, otherKey := other.Issue(t, rabbitmq.User, time.Hour)
	oldCert, oldKey := b.ca.Issue(t, "expired", -time.Hour)
	strangerCert, strangerKey := b.ca.Issue(t, "stranger", time.Hour)
	q := newQueue(t, b, nil)
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"unknown authority":     {func(c *Config) { c.TLS = sinktest.TLS(other.File, "", "") }, "unknown authority"},
		"the system's":          {func(c *Config) { c.TLS = value.TLS{} }, "unknown authority"},
		"wrong name":            {func(c *Config) { c.TLS.ServerName = "elsewhere.example" }, "not elsewhere.example"},
		"missing file":          {func(c *Config) { c.TLS.CA.File = "/nonexistent/ca.pem" }, "no such file"},
		"another's certificate": {func(c *Config) { c.external(otherCert, otherKey) }, "tls: "},
		"expired certificate":   {func(c *Config) { c.external(oldCert, oldKey) }, "tls: "},
		"unknown user":          {func(c *Config) { c.external(strangerCert, strangerKey) }, "authentication with the client certificate failed"},
		"no TLS at the broker": {func(c *Config) {
			c.Addresses = []value.Address{value.Address("amqps://" + b.Plain)}
		}, "does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			c := q.overTLS(t)
			tt.change(c)
			awaitError(t, newSink(t, c), sinktest.Events(1, 2), tt.want)
		})
	}
	q.check(t, nil)
}

func TestExternalAuthentication(t *testing.T) {
	b := shared(t)
	cert, key := b.ca.Issue(t, rabbitmq.User, time.Hour)
	q := newQueue(t, b, nil)
	events := sinktest.Events(1, 20)
	mustDeliver(t, newSink(t, q.overTLS(t).external(cert, key)), events)
	q.check(t, ids(events))
}

// The connection would work for hours, but its certificate may have been revoked.
func TestRotatedClientCertificateOpensAnotherConnection(t *testing.T) {
	b := shared(t)
	cert, key := b.ca.Issue(t, rabbitmq.User, time.Hour)
	q := newQueue(t, b, nil)
	s := newSink(t, q.overTLS(t).external(cert, key))
	events := sinktest.Events(1, 30)
	mustDeliver(t, s, events[:10])
	before := s.session
	mustDeliver(t, s, events[10:20])
	if s.session != before {
		t.Error("the sink has connected again for the same files")
	}
	b.ca.Issue(t, rabbitmq.User, time.Hour)
	mustDeliver(t, s, events[20:])
	if s.session == before {
		t.Error("the sink has continued with the certificate that was replaced")
	}
	q.check(t, ids(events))
}

// replaceCertificate makes the broker use another certificate for new connections.
func (b *broker) replaceCertificate(t *testing.T, by *sinktest.CA, valid time.Duration) {
	t.Helper()
	cert, key := by.Issue(t, "replacement", valid)
	for _, file := range []struct{ from, to string }{{cert, b.cert}, {key, b.key}} {
		text, err := os.ReadFile(file.from)
		if err == nil {
			err = os.WriteFile(file.to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.ReloadTLS(t)
}

func TestReplacedServerCertificate(t *testing.T) {
	b := shared(t)
	q := newQueue(t, b, nil)
	s := newSink(t, q.overTLS(t))
	events := sinktest.Events(1, 40)
	mustDeliver(t, s, events[:10])
	t.Cleanup(func() { b.replaceCertificate(t, b.ca, time.Hour) })

	b.replaceCertificate(t, b.ca, -time.Hour)
	mustDeliver(t, s, events[10:20]) // over the open connection
	q.proxy.Reset()
	awaitError(t, s, events[20:], "certificate has expired")

	b.replaceCertificate(t, sinktest.NewCA(t), time.Hour)
	mustFail(t, s, events[20:], "unknown authority")

	b.replaceCertificate(t, b.ca, time.Hour)
	mustDeliver(t, s, events[20:])
	q.check(t, ids(events))
}

// awaitError makes attempts until the error contains text: a reset of the connection can be
// faster than the reason.
func awaitError(t *testing.T, s *Sink, events []event.Event, text string) {
	t.Helper()
	for range 100 {
		n, err := attempt(t, s, events, attemptTimeout)
		if n != 0 || err == nil {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		if strings.Contains(err.Error(), text) {
			return
		}
	}
	t.Errorf("no error contains %q", text)
}
