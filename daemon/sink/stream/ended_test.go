// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// closeWrite closes the sending side of the peer: with a FIN, or a close_notify of TLS.
func closeWrite(peer net.Conn) { _ = peer.(interface{ CloseWrite() error }).CloseWrite() }

// remote are the networks whose queue empties when the peer's kernel acknowledges.
var remote = []string{"tcp", "tls"}

// hang is longer than every timeout of the package.
const hang = 10 * time.Minute

// After an end of file, reading does not report later errors.
func TestResetAfterEndOfFileIsDetectedImmediately(t *testing.T) {
	for _, network := range remote {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			go func() {
				awaitArrival(t, rawConn(peer))
				closeWrite(peer)
				peer.Close() // with bytes unread: a reset
			}()
			n, err := c.Write(contextWithin(t, hang), make([]byte, 8<<20))
			if n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("accepted %d bytes, %v", n, err)
			}
		})
	}
}

func TestDataAcknowledgedAfterThePeerClosedIsNotAccepted(t *testing.T) {
	for _, network := range remote {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			go func() {
				awaitArrival(t, rawConn(peer))
				closeWrite(peer) // and reads nothing, and stays
			}()
			n, err := c.Write(contextWithin(t, hang), make([]byte, 8<<20))
			if n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("accepted %d bytes, %v", n, err)
			}
		})
	}
}

func TestNothingIsWrittenToAClosedPeer(t *testing.T) {
	for _, network := range remote {
		t.Run(network, func(t *testing.T) {
			c, peer := connect(t, network)
			closeWrite(peer)
			for c.Check() == nil {
				time.Sleep(time.Millisecond)
			}
			if n, err := c.Write(contextWithin(t, hang), []byte("event\n")); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("accepted %d bytes, %v", n, err)
			}
			c.abort()
			if got, _ := io.ReadAll(peer); len(got) > 0 {
				t.Errorf("the peer got %q", got)
			}
		})
	}
}

// A server that reads a part and closes has accepted that part.
func TestDataReadBeforeThePeerClosesIsAccepted(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, c *Conn, peer net.Conn) {
		go func() {
			io.ReadFull(peer, make([]byte, 6)) // Write reports the error
			peer.Close()
		}()
		if n, err := c.Write(contextWithin(t, hang), []byte("event\n")); n != 6 || err != nil {
			t.Errorf("accepted %d bytes, %v", n, err)
		}
	})
}

// A peer that closes at once receives nothing, so no event is sent twice.
func TestSendOnlyPeerReceivesNothing(t *testing.T) {
	l, p := listen(t, "tcp")
	got := make(chan []byte)
	go func() {
		peer, err := l.Accept()
		if err != nil {
			return
		}
		closeWrite(peer)
		text, _ := io.ReadAll(peer)
		got <- text
	}()
	client := NewClient(p)
	n, err := client.Write(contextWithin(t, hang), []byte("event\n"))
	if n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("accepted %d bytes, %v", n, err)
	}
	if text := <-got; len(text) > 0 {
		t.Errorf("the peer got %q", text)
	}
}

// The server closes when the event has been sent, so the client cannot detect it before.
func TestIdleConnectionClosedByTheServerIsNotAFailure(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			l, p := listen(t, network)
			go func() {
				for {
					peer, err := l.Accept()
					if err != nil {
						return
					}
					io.ReadFull(peer, make([]byte, 6)) // the next event shows it
					awaitArrival(t, rawConn(peer))
					peer.Close() // unread
				}
			}()
			client := NewClient(p)
			defer client.Abort()
			for range 5 {
				if n, err := client.Write(contextWithin(t, hang), []byte("event\n")); n != 6 || err != nil {
					t.Fatalf("accepted %d bytes, %v", n, err)
				}
			}
		})
	}
}

// A server has read every event that counts, however it fails. A batch is larger than its
// receive buffer: for a smaller batch, the kernel's acknowledgement is the only evidence.
func TestAcceptedDataWasReadByTheServer(t *testing.T) {
	for _, network := range remote {
		for name, end := range map[string]func(net.Conn){
			"half-closes at once":      func(c net.Conn) { closeWrite(c); time.Sleep(100 * time.Millisecond) },
			"half-closes later":        func(c net.Conn) { awaitArrival(t, rawConn(c)); closeWrite(c); time.Sleep(100 * time.Millisecond) },
			"is busy, then closes":     func(net.Conn) { time.Sleep(100 * time.Millisecond) },
			"half-closes, then closes": func(c net.Conn) { awaitArrival(t, rawConn(c)); closeWrite(c) },
		} {
			t.Run(network+" "+name, func(t *testing.T) { checkAcceptedAgainst(t, network, end) })
		}
	}
}

// checkAcceptedAgainst writes batches that are larger than any receive buffer. Every other connection of
// the server does not read, and ends in the given way.
func checkAcceptedAgainst(t *testing.T, network string, end func(net.Conn)) {
	l, p := listen(t, network)
	read := make(chan int, 1<<16)
	go func() {
		for i := 0; ; i++ {
			peer, err := l.Accept()
			if err != nil {
				return
			}
			if i%2 == 0 {
				end(peer)
				peer.Close()
				continue
			}
			in := bufio.NewScanner(peer)
			for n := 0; n < 20_000 && in.Scan(); n++ {
				line, _ := strconv.Atoi(in.Text()) // 0 is not a line
				read <- line
			}
			peer.Close()
		}
	}()
	client := NewClient(p)
	defer client.Abort()
	var batch []byte
	for i := range 20_000 {
		batch = fmt.Appendf(batch, "%0199d\n", i+1)
	}
	got := make(map[int]bool)
	for counted := 0; counted < len(batch); {
		n, err := client.Write(contextWithin(t, hang), batch[counted:])
		if counted += n; err == nil {
			break
		}
		for more := true; more; {
			select {
			case line := <-read:
				got[line] = true
			default:
				more = false
			}
		}
	}
	for len(got) < 20_000 {
		select {
		case line := <-read:
			got[line] = true
		case <-t.Context().Done():
			return
		case <-time.After(20 * time.Second):
			t.Fatalf("%d accepted events were never read", 20_000-len(got))
		}
	}
}

// rawConn returns the socket below TLS.
func rawConn(conn net.Conn) net.Conn {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return secure.NetConn()
	}
	return conn
}

// The error of a broken connection is kept, although the kernel returns it only once.
func TestSocketErrorIsKept(t *testing.T) {
	c, peer := connect(t, "tcp")
	peer.(*net.TCPConn).SetLinger(0) // the test fails without
	peer.Close()
	for c.Check() == nil {
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		if err := c.Check(); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("got %v", err)
		}
	}
	if !Ended(c.Check()) || Ended(context.Canceled) || Ended(nil) {
		t.Error("Ended does not report the closed connection")
	}
}
