// SPDX-License-Identifier: Apache-2.0

// Package stream writes to a connection and says what of it the peer's kernel has
// acknowledged: unix stream sockets, TCP, and TLS over TCP.
//
// A write that has returned says only that the bytes are in this machine's send
// buffer; they are lost when the peer dies. So Write waits until the send queue is
// empty (SIOCOUTQ): then every byte is in the peer's receive buffer (TCP), or has
// been read by its process (unix). A peer that has reset the connection has closed it
// with bytes unread: then nothing of that Write counts. What remains is a peer's
// process that dies with what it had already received.
package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Options say where to.
type Options struct {
	Network string // unix, tcp or tls
	Address string // a path, or host:port
	TLS     tlsclient.Options
}

// keepAlive finds a peer that is gone without a word while nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// Dial connects until the context ends; a name is resolved anew. The TLS files are
// read for each connection.
func (o Options) Dial(ctx context.Context) (*Conn, error) {
	network := o.Network
	if network == "tls" {
		network = "tcp"
	}
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	raw, err := dialer.DialContext(ctx, network, o.Address)
	if err != nil {
		return nil, visible(err)
	}
	w, err := newWire(raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	c := &Conn{wire: w, conn: w, local: network == "unix"}
	if o.Network != "tls" {
		return c, nil
	}
	if err := c.startTLS(ctx, o); err != nil {
		return nil, errors.Join(visible(fmt.Errorf("TLS to %s: %w", o.Address, err)), w.Close())
	}
	return c, nil
}

// startTLS returns when the server has accepted the client, as far as it says so.
func (c *Conn) startTLS(ctx context.Context, o Options) error {
	config, err := o.TLS.Config()
	if err != nil {
		return err
	}
	if config.ServerName == "" {
		if config.ServerName, _, err = net.SplitHostPort(o.Address); err != nil {
			return err
		}
	}
	config.DynamicRecordSizingDisabled = true
	asked := false
	own := append(config.Certificates, tls.Certificate{}) // the empty one says that there is none
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return &own[0], nil
	}
	conn := tls.Client(c.wire, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	c.conn = conn
	if asked && conn.ConnectionState().Version >= tls.VersionTLS13 {
		return c.awaitVerdict(ctx)
	}
	return nil
}

// verdictWait bounds how long awaitVerdict waits for a server that says nothing.
const verdictWait = 500 * time.Millisecond

// awaitVerdict waits for the first word of a server that has asked for a
// certificate. In TLS 1.3 the client's part of the handshake ends before the server
// has looked at the certificate: events sent at once to a server that then refuses
// would be in its receive buffer, acknowledged and lost. A server that accepts says
// so by a session ticket, mostly, and one that refuses by an alert.
func (c *Conn) awaitVerdict(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verdictWait)
	defer cancel()
	defer Bind(ctx, c.wire)()
	if err := c.wire.awaitReadable(); err != nil && !isTimeout(err) {
		return err
	}
	return c.Check()
}

// A Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	wire  *wire    // counts what goes over the socket
	conn  net.Conn // wire, or TLS over it
	local bool     // the queue empties as the peer reads, in units that are no bytes

	blocks []block // of the Write under way
}

// Check returns an error when the peer has ended the connection: io.EOF when it was
// closed in order. It never waits. What the peer has sent is discarded.
func (c *Conn) Check() error {
	c.wire.impatient = true
	defer func() { c.wire.impatient = false }()
	var scratch [4096]byte
	for range 16 { // a peer that never stops talking is alive
		_, err := c.conn.Read(scratch[:])
		if isTimeout(err) {
			return nil
		}
		if err != nil {
			return visible(err)
		}
	}
	return nil
}

// Read reads what the peer has sent until the context ends. It is for peers that
// answer; Write discards what was not read.
func (c *Conn) Read(ctx context.Context, p []byte) (int, error) {
	defer Bind(ctx, c.wire)()
	n, err := c.conn.Read(p)
	return n, visible(err)
}

// Close ends the connection in order.
func (c *Conn) Close() error {
	err := c.conn.Close()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // TLS could not say good-bye to a peer that has gone
	}
	return err
}

// abort ends the connection without a word, which could block.
func (c *Conn) abort() { c.wire.Close() }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// visible escapes what the other side may have put into an error, such as the names
// in its certificate.
func visible(err error) error {
	if err == nil || err == io.EOF || event.IsVisible([]byte(err.Error())) { //nolint:errorlint // io.Reader's EOF is not wrapped
		return err
	}
	return &shown{err}
}

type shown struct{ err error }

func (e *shown) Error() string { return string(event.AppendVisible(nil, []byte(e.err.Error()))) }
func (e *shown) Unwrap() error { return e.err }
