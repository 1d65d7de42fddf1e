// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAcceptedWriteHasArrived(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, c *Conn, peer net.Conn) {
		sent := make([]byte, 3*blockBytes+7)
		rand.Read(sent) // never fails
		got := make(chan []byte)
		go func() {
			text, _ := io.ReadAll(peer)
			got <- text
		}()
		for _, part := range [][]byte{sent[:1], sent[1:100], sent[100:], nil} {
			if n, err := c.Write(contextWithin(t, 10*time.Second), part); n != len(part) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(part), err)
			}
		}
		c.Close()
		if !bytes.Equal(<-got, sent) {
			t.Error("the peer got something else")
		}
	})
}

// The peer can read acknowledged data after any fault on this side.
func TestPeerThatDoesNotReadAcceptsItsReceiveBuffer(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, c *Conn, peer net.Conn) {
		sent := make([]byte, 64<<20)
		n, err := c.Write(contextWithin(t, 500*time.Millisecond), sent)
		if err == nil || n >= len(sent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("accepted %d of %d from a peer that does not read: %v", n, len(sent), err)
		}
		c.abort()
		held, _ := io.Copy(io.Discard, peer)
		if int64(n) > held {
			t.Errorf("acknowledged %d bytes, the peer could read %d", n, held)
		}
		t.Logf("acknowledged %d bytes, the peer could read %d", n, held)
	})
}

// Otherwise a batch that is too large for one attempt would never arrive.
func TestDataReadBeforeTheAttemptEndsIsAccepted(t *testing.T) {
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				io.CopyN(io.Discard, peer, 20<<20) // Write reports the error
				cancel()
			}()
			n, err := c.Write(ctx, make([]byte, 128<<20))
			if err == nil || n < 10<<20 {
				t.Errorf("acknowledged %d bytes, %v", n, err)
			}
		})
	}
}

// awaitArrival waits until the receive buffer of the socket contains bytes, or the test ends.
func awaitArrival(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	for waiting := 0; waiting == 0 && err == nil && t.Context().Err() == nil; time.Sleep(time.Millisecond) {
		_ = raw.Control(func(fd uintptr) { waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }) // err has the cause
	}
}

// A unix socket's queue also empties when the peer closes it. The kernel then discards the
// length of the queue.
func TestUnixPeerThatClosesWithoutReadingAcceptsNothing(t *testing.T) {
	c, peer := connect(t, "unix")
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		awaitArrival(t, peer)
		peer.Close()
	}()
	n, err := c.Write(contextWithin(t, 10*time.Second), []byte("event\n"))
	if n != 0 || !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("accepted %d unread bytes: %v", n, err)
	}
	<-closed
}

func TestPeerThatResetTheConnectionAcceptsNothing(t *testing.T) {
	c, peer := connect(t, "tcp")
	peer.(*net.TCPConn).SetLinger(0) // the test fails without
	peer.Close()
	for c.Check() == nil {
		time.Sleep(time.Millisecond)
	}
	if n, err := c.Write(contextWithin(t, 10*time.Second), []byte("event\n")); n != 0 || err == nil {
		t.Errorf("accepted %d bytes, %v", n, err)
	}
}

func TestUnixPeerThatClosesItsSendingSideStillReceives(t *testing.T) {
	c, peer := connect(t, "unix")
	_ = peer.(*net.UnixConn).CloseWrite() // Check notices
	for c.Check() == nil {
		time.Sleep(time.Millisecond)
	}
	go io.Copy(io.Discard, peer) // ends with the test
	if n, err := c.Write(contextWithin(t, 10*time.Second), []byte("event\n")); n != 6 || err != nil {
		t.Errorf("accepted %d bytes, %v", n, err)
	}
}

func TestDataFromThePeerIsDiscarded(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, c *Conn, peer net.Conn) {
		received := make(chan struct{})
		go func() {
			defer close(received)
			io.ReadFull(peer, make([]byte, 3*len("event\n"))) // Write would fail
		}()
		peer.Write(bytes.Repeat([]byte("x"), 10000)) // Read would miss it
		if _, err := c.Read(contextWithin(t, 10*time.Second), make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := c.Write(contextWithin(t, 10*time.Second), []byte("event\n")); err != nil {
				t.Fatal(err)
			}
		}
		<-received
		peer.Close()
		for err := c.Check(); !errors.Is(err, io.EOF); err = c.Check() {
			if err != nil {
				t.Fatalf("a peer that has closed in order: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
