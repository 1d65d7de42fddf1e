// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestClientReconnectsToARestartedServer(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			l, p := listen(t, network)
			closed := make(chan struct{}, 1)
			go func() {
				for {
					peer, err := l.Accept()
					if err != nil {
						return
					}
					io.ReadFull(peer, make([]byte, 6)) // the client's first event
					peer.Close()
					closed <- struct{}{}
				}
			}()
			client := NewClient(p)
			defer client.Close()
			for range 3 {
				if n, err := client.Write(contextWithin(t, 10*time.Second), []byte("event\n")); n != 6 || err != nil {
					t.Fatalf("accepted %d bytes, %v", n, err)
				}
				<-closed
			}
		})
	}
}

// In TLS 1.3 the handshake of a client ends before the server has verified the client's
// certificate.
func TestServerThatRejectsTheCertificateAcceptsNothing(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca, foreign := sinktest.NewCA(t), sinktest.NewCA(t)
			pool := x509.NewCertPool()
			text, _ := os.ReadFile(ca.File)
			pool.AppendCertsFromPEM(text)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{ca.Certificate(t, "server", time.Hour)}, ClientCAs: pool,
				ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: version,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go serveTLS(l)
			p := Peer{Address: value.Address("tls://" + l.Addr().String())}
			trusting := func(cert, key string) value.TLS { return sinktest.TLS(ca.File, cert, key) }
			for _, refused := range []value.TLS{
				trusting("", ""), trusting(foreign.Issue(t, "foreign", time.Hour)), trusting(ca.Issue(t, "expired", -time.Hour)),
			} {
				p.TLS = refused
				client := NewClient(p)
				n, err := client.Write(contextWithin(t, 10*time.Second), []byte("event\n"))
				if n != 0 || err == nil || !strings.Contains(err.Error(), "remote error") {
					t.Errorf("accepted %d bytes, %v", n, err)
				}
				client.Abort()
			}
			p.TLS = trusting(ca.Issue(t, "client", time.Hour))
			client := NewClient(p)
			defer client.Close()
			if n, err := client.Write(contextWithin(t, 10*time.Second), []byte("event\n")); n != 6 || err != nil {
				t.Errorf("accepted %d bytes with a good certificate, %v", n, err)
			}
		})
	}
}

func serveTLS(l net.Listener) {
	for {
		peer, err := l.Accept()
		if err != nil {
			return
		}
		go io.Copy(io.Discard, peer) // ends with the connection
	}
}

func TestContextEndsAHangingHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := Peer{Address: value.Address("tls://" + l.Addr().String())}
	if _, err := p.Dial(contextWithin(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsContainNoControlCharacters(t *testing.T) {
	cause := errors.New("x509: certificate is valid for a\x1b[2J\nb, not c")
	err := visible(cause, nil)
	if !errors.Is(err, cause) || !event.IsVisible([]byte(err.Error())) {
		t.Errorf("%q", err)
	}
}
