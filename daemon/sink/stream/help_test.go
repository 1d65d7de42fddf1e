// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// listen returns a listener of a network, as a server and as the peer of clients.
func listen(t *testing.T, network string) (net.Listener, Peer) {
	t.Helper()
	l, address, ca := sinktest.Listen(t, network)
	return l, Peer{Address: value.Address(network + "://" + address), TLS: sinktest.TLS(ca, "", "")}
}

// connect returns both ends of a connection; the peer's handshake is done.
func connect(t *testing.T, network string) (*Conn, net.Conn) {
	t.Helper()
	l, p := listen(t, network)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		peer, err := l.Accept()
		if err != nil {
			return
		}
		if secure, ok := peer.(*tls.Conn); ok {
			secure.Handshake() // the client reports the error
		}
		accepted <- peer
	}()
	c := dial(t, p)
	peer := <-accepted
	t.Cleanup(func() { peer.Close() })
	return c, peer
}

func dial(t *testing.T, p Peer) *Conn {
	t.Helper()
	c, err := p.Dial(contextWithin(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.abort() })
	return c
}

func contextWithin(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var networks = []string{"unix", "tcp", "tls"}

// onEachNetwork runs a test with both ends of a connection of every network.
func onEachNetwork(t *testing.T, test func(t *testing.T, c *Conn, peer net.Conn)) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			test(t, c, peer)
		})
	}
}
