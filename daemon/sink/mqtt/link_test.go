// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"bytes"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// piped returns a link that is not started, its other end, and the error of the messages in
// flight when it ends.
func piped(t *testing.T) (l *link, peer net.Conn, ended chan error) {
	t.Helper()
	conn, peer := net.Pipe()
	t.Cleanup(func() { conn.Close(); peer.Close() })
	ended = make(chan error, 1)
	return &link{
		conn: conn, name: "mqtt://broker:1883", limits: limitsOf(&packets.Properties{}), keepAlive: time.Hour,
		ended: func(err error) { ended <- err }, mask: new(redact.Mask), aliases: newAliases(0),
	}, peer, ended
}

// The broker has refused a message that delivery has abandoned.
func TestLaterMessageIsNotTheCauseOfTheEnd(t *testing.T) {
	l, peer, ended := piped(t)
	l.start(bufio.NewReader(l.conn))
	l.mu.Lock()
	l.flight[1] = &message{}
	l.mu.Unlock()
	if _, err := disconnect(codePacketTooLarge, "")[0].WriteTo(peer); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; sink.Poisoned(err) != 1 {
		t.Errorf("the message in flight has the result %v", err)
	}
	e := sinktest.Events(1, 1)[0]
	err := l.publish(t.Context(), &e, &packets.Publish{Topic: "a", QoS: 1, Properties: &packets.Properties{}}, nil)
	if err == nil || sink.Poisoned(err) > 0 {
		t.Errorf("a later message has the result %v", err)
	}
}

// A broker that does not read, but still sends, must not delay the end of the daemon.
func TestEndOfALinkIsBounded(t *testing.T) {
	skipInShort(t)
	l, peer, _ := piped(t)
	l.start(bufio.NewReader(l.conn))
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		l.farewell()
	}()
	poll.Until(t, "the link is about to end", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.leaving
	})
	for range 2 {
		if _, err := packets.NewControlPacket(packets.PINGRESP).WriteTo(peer); err != nil {
			t.Fatal(err)
		}
	}
	poll.Until(t, "the link has ended", func() bool {
		select {
		case <-returned:
			return true
		default:
			return false
		}
	})
	l.closed.Wait()
}

// A resetConn fails to write, and then has a packet of the broker to read.
type resetConn struct {
	net.Conn
	failed chan struct{}
	text   bytes.Buffer
}

func (c *resetConn) Write([]byte) (int, error) {
	close(c.failed)
	return 0, syscall.ECONNRESET
}

func (c *resetConn) Read(p []byte) (int, error) {
	<-c.failed
	return c.text.Read(p)
}

// The broker has sent its reason, and has reset the connection with messages that it has not read.
func TestReasonOfABrokerThatResetsTheConnection(t *testing.T) {
	l, _, ended := piped(t)
	conn := &resetConn{Conn: l.conn, failed: make(chan struct{})}
	if _, err := disconnect(codeTakenOver, "")[0].WriteTo(&conn.text); err != nil {
		t.Fatal(err)
	}
	l.conn = conn
	l.start(bufio.NewReader(conn))
	e, written := sinktest.Events(1, 1)[0], make(chan error, 1)
	p := &packets.Publish{Topic: "a", Properties: &packets.Properties{}}
	if err := l.publish(t.Context(), &e, p, func(err error) { written <- err }); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{<-ended, <-written} {
		if !hasCode(err, codeTakenOver) {
			t.Errorf("the reason is %v", err)
		}
	}
}
