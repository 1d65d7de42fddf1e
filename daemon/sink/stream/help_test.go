// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// listen returns a listener of a network, and the options that lead to it.
func listen(t *testing.T, network string) (net.Listener, Options) {
	t.Helper()
	o := Options{Network: network}
	kind, address := "tcp", "127.0.0.1:0"
	if network == "unix" {
		kind, address = "unix", filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(kind, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if o.Address = l.Addr().String(); network == "tls" {
		ca := sinktest.NewCA(t)
		o.TLS.CA = ca.File
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t, ca, "server")}})
	}
	return l, o
}

func certificate(t *testing.T, ca *sinktest.CA, name string) tls.Certificate {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(ca.Issue(t, name, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// connect returns both ends of a connection; the peer's handshake is done.
func connect(t *testing.T, network string) (*Conn, net.Conn) {
	t.Helper()
	l, o := listen(t, network)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		peer, err := l.Accept()
		if err != nil {
			return
		}
		if secure, ok := peer.(*tls.Conn); ok {
			secure.Handshake() //nolint:errcheck // the client says what is wrong
		}
		accepted <- peer
	}()
	c := dial(t, o)
	peer := <-accepted
	t.Cleanup(func() { peer.Close() })
	return c, peer
}

func dial(t *testing.T, o Options) *Conn {
	t.Helper()
	c, err := o.Dial(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.abort() })
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var networks = []string{"unix", "tcp", "tls"}

// each runs a test with both ends of a connection of every network.
func each(t *testing.T, test func(t *testing.T, c *Conn, peer net.Conn)) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			test(t, c, peer)
		})
	}
}
