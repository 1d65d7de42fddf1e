// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
)

// A recorder reads each connection to its end.
type recorder struct {
	accepted atomic.Int32
	readers  sync.WaitGroup
	mu       sync.Mutex
	texts    []string
}

// serve returns when the listener is closed.
func (r *recorder) serve(l net.Listener) {
	for {
		peer, err := l.Accept()
		if err != nil {
			return
		}
		r.accepted.Add(1)
		r.readers.Go(func() {
			defer peer.Close()
			text, err := io.ReadAll(peer)
			if err != nil { // the client has not ended the connection in order
				text = fmt.Append(text, err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.texts = append(r.texts, string(text))
		})
	}
}

func TestConnectionIsReplacedAtTheAgeLimit(t *testing.T) {
	for _, network := range networks {
		for age, replaced := range map[time.Duration]bool{0: false, time.Hour: false, time.Nanosecond: network != "unix"} {
			t.Run(fmt.Sprint(network, " ", age), func(t *testing.T) {
				l, p := listen(t, network)
				var peers recorder
				var server sync.WaitGroup
				server.Go(func() { peers.serve(l) })
				p.MaxConnectionAge = value.Duration(age)
				client := NewClient(p)
				ctx := contextWithin(t, hang)
				for i := range 3 {
					client.Renew(ctx)
					if n, err := client.Write(ctx, fmt.Appendf(nil, "%d\n", i)); n != 2 || err != nil {
						t.Fatalf("accepted %d bytes, %v", n, err)
					}
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
				want := []string{"0\n1\n2\n"}
				if replaced {
					want = []string{"0\n", "1\n", "2\n"}
				}
				for peers.accepted.Load() < int32(len(want)) {
					time.Sleep(time.Millisecond)
				}
				l.Close()
				server.Wait()
				peers.readers.Wait()
				slices.Sort(peers.texts)
				if diff := cmp.Diff(want, peers.texts); diff != "" {
					t.Errorf("connections carried (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A peer such as "nc -l" serves one connection.
func TestConnectionStaysInUseIfRenewalFails(t *testing.T) {
	for _, network := range remote {
		t.Run(network, func(t *testing.T) {
			l, p := listen(t, network)
			accepted := make(chan net.Conn, 1)
			go func() {
				peer, err := l.Accept()
				if err == nil {
					accepted <- peer
					_, _ = io.Copy(io.Discard, peer)
				}
			}()
			client, log := newRenewingClient(t, p)
			ctx := contextWithin(t, hang)
			if _, err := client.Write(ctx, []byte("first\n")); err != nil {
				t.Fatal(err)
			}
			peer := <-accepted
			defer peer.Close()
			l.Close()
			before := client.conn
			for range 3 {
				client.Renew(ctx)
				if n, err := client.Write(ctx, []byte("second\n")); n != 7 || err != nil || client.conn != before {
					t.Errorf("accepted %d bytes, %v, on the same connection: %v", n, err, client.conn == before)
				}
			}
			if n := strings.Count(log.String(), notRenewed); n != 1 || !strings.Contains(log.String(), "connection refused") {
				t.Errorf("%d lines in the log, want one with the cause: %s", n, log)
			}
		})
	}
}

func TestEndOfFailedRenewalsIsLogged(t *testing.T) {
	l, p := listen(t, "tcp")
	go serveUntilClosed(l)
	client, log := newRenewingClient(t, p)
	ctx := contextWithin(t, hang)
	if _, err := client.Write(ctx, []byte("first\n")); err != nil {
		t.Fatal(err)
	}
	l.Close()
	client.Renew(ctx)
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	go serveUntilClosed(again)
	for range 2 {
		client.Renew(ctx)
	}
	if got := log.String(); strings.Count(got, "level=") != 2 || !strings.Contains(got, notRenewed) ||
		!strings.Contains(got, "the connection has been renewed") {
		t.Errorf("the log does not have one line for the failure and one for its end: %s", got)
	}
}

// The end of an attempt is not a fault of the peer.
func TestRenewalCancelledWithItsAttemptIsNotLogged(t *testing.T) {
	l, p := listen(t, "tcp")
	go serveUntilClosed(l)
	client, log := newRenewingClient(t, p)
	if _, err := client.Write(contextWithin(t, hang), []byte("first\n")); err != nil {
		t.Fatal(err)
	}
	before := client.conn
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client.Renew(ctx)
	if client.conn != before || log.Len() > 0 {
		t.Errorf("on the same connection: %v, log: %s", client.conn == before, log)
	}
}

// newRenewingClient returns a client whose connections are always too old, and its log.
func newRenewingClient(t *testing.T, p Peer) (*Client, *bytes.Buffer) {
	log := new(bytes.Buffer)
	p.MaxConnectionAge, p.Log = value.Duration(time.Nanosecond), slog.New(slog.NewTextHandler(log, nil))
	client := NewClient(p)
	t.Cleanup(client.Abort)
	return client, log
}

// serveUntilClosed reads the data of each connection.
func serveUntilClosed(l net.Listener) {
	var r recorder
	r.serve(l)
}

// Otherwise a server with a thread for each connection could read later events first.
func TestOldConnectionClosesAfterThePeerHasReadEverything(t *testing.T) {
	for _, network := range remote {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			if _, err := c.Write(contextWithin(t, hang), []byte("event\n")); err != nil {
				t.Fatal(err)
			}
			read := make(chan string, 1)
			go func() {
				_, _ = peer.Write([]byte("unread by the client\n")) // must not reset the connection
				text, err := io.ReadAll(peer)
				read <- fmt.Sprintf("%s%v", text, err)
				peer.Close()
			}()
			c.finish(t.Context(), hang)
			select {
			case text := <-read:
				if text != "event\n<nil>" {
					t.Errorf("the peer read %q", text)
				}
			default:
				t.Error("the client did not wait for the peer")
			}
		})
	}
}

func TestWaitForThePeerToCloseIsLimited(t *testing.T) {
	for _, network := range remote {
		for name, behave := range map[string]func(net.Conn){
			"silent":     func(net.Conn) {},
			"sends data": func(peer net.Conn) { _, _ = io.Copy(peer, zeroReader{}) },
		} {
			t.Run(network+" "+name, func(t *testing.T) {
				c, peer := connect(t, network)
				go behave(peer)
				c.finish(t.Context(), 10*time.Millisecond)
				if err := c.Check(); err == nil {
					t.Error("the connection is still open")
				}
			})
		}
	}
}

// zeroReader is a reader of zeros.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }
