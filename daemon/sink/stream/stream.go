// SPDX-License-Identifier: Apache-2.0

// Package stream writes to a connection and reports how much of the data the peer's kernel
// has acknowledged. It supports unix stream sockets, TCP, and TLS over TCP.
//
// A successful write means only that the bytes are in this machine's send buffer; they are
// lost when the peer dies. So Write waits until the send queue is empty (SIOCOUTQ). Then
// every byte is in the peer's receive buffer (TCP), or was read by its process (unix). A
// peer that has reset the connection has closed it with unread bytes: then no byte of that
// Write counts. One risk remains: the peer's process dies with data that it has received.
package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// A Peer is the other side of connections, with the settings for them.
type Peer struct {
	Address          value.Address // with the scheme unix, unixstream, tcp or tls
	TLS              value.TLS
	MaxConnectionAge value.Duration // see Client.Renew; 0 disables the limit
	Mask             *redact.Mask   // of text that the peer sends; nil is empty
	Log              *slog.Logger   // nil discards
}

// target returns the arguments of net.Dial for the connection below TLS.
func (p *Peer) target() (network, address string) {
	scheme, address := p.Address.Split()
	if scheme == "unix" || scheme == "unixstream" {
		return "unix", address
	}
	return "tcp", address
}

func (p *Peer) secure() bool {
	scheme, _ := p.Address.Split()
	return scheme == "tls"
}

// keepAlive detects a peer that disappeared while the connection is idle.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// Dial connects until the context ends; it resolves the name again. The TLS files are read
// for each connection.
func (p *Peer) Dial(ctx context.Context) (*Conn, error) {
	network, address := p.target()
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	raw, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, visible(err, nil) // the error does not contain text of the peer
	}
	w, err := newWire(raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	c := &Conn{wire: w, conn: w, local: w.local, mask: p.Mask}
	if p.secure() {
		if err := c.startTLS(ctx, &p.TLS, address); err != nil {
			return nil, errors.Join(c.visible(fmt.Errorf("TLS to %s: %w", address, err)), w.Close())
		}
	}
	if err := c.greet(); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", address, err), w.Close())
	}
	return c, nil
}

// errUnwelcome is for a peer that only sends, or does not use the connection.
var errUnwelcome = fmt.Errorf("the peer closed its side of the connection at once, so it may not read events; "+
	"a peer that receives must keep its side open (socat -u, ncat --recv-only): %w", io.EOF)

// greet lets a TCP peer end the connection for a moment before data is sent. Otherwise a
// load balancer without a server, or a program that does not receive and closes its side,
// would receive events that it may never read.
func (c *Conn) greet() error {
	if c.local {
		return nil
	}
	if _, err := c.wire.poll(unix.POLLRDHUP, lastWord); err != nil {
		return err
	}
	err := c.Check()
	if errors.Is(err, io.EOF) {
		return errUnwelcome
	}
	return err
}

// startTLS returns when the server has accepted the client, as far as the server reports
// that.
func (c *Conn) startTLS(ctx context.Context, settings *value.TLS, address string) error {
	config, err := tlsclient.ConfigFor(settings, address)
	if err != nil {
		return err
	}
	config.DynamicRecordSizingDisabled = true
	asked := false
	own := append(config.Certificates, tls.Certificate{}) // the empty one means that the client does not have a certificate
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

// verdictWait bounds how long awaitVerdict waits for a silent server.
const verdictWait = 500 * time.Millisecond

// awaitVerdict waits for the first message of a server that has requested a certificate.
// In TLS 1.3 the client's part of the handshake ends before the server has checked the
// certificate. Events that are sent at once to a server that then refuses would be in its
// receive buffer, acknowledged and lost. Most servers that accept send a session ticket,
// and those that refuse an alert.
func (c *Conn) awaitVerdict(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verdictWait)
	defer cancel()
	for ctx.Err() == nil {
		happened, err := c.wire.poll(unix.POLLIN|unix.POLLRDHUP, longestPause)
		if err != nil {
			return err
		}
		if happened != 0 {
			break
		}
	}
	return c.Check()
}

// A Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	wire  *wire    // counts the bytes of the socket
	conn  net.Conn // wire, or TLS over it
	local bool     // the queue empties as the peer reads, in units larger than bytes
	mask  *redact.Mask

	blocks []block // of the running Write
	proven int64   // bytes that were acknowledged when the peer was last alive
}

// Check returns an error if the peer has ended the connection: io.EOF if it was closed in
// order. It does not wait. Data from the peer is discarded.
func (c *Conn) Check() error {
	defer c.wire.queue()()
	var scratch [4096]byte
	for range 16 { // a peer that never stops sending is alive
		_, err := c.conn.Read(scratch[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break // no data is available
		}
		if err != nil {
			return c.visible(c.behind(err))
		}
	}
	return c.visible(c.wire.end())
}

// behind returns the error that an end of file hides, or nil.
func (c *Conn) behind(err error) error {
	if errors.Is(err, io.EOF) {
		if end := c.wire.end(); end != nil {
			return end
		}
	}
	return err
}

// Read reads data from the peer until the context ends. It is for peers that answer; Write
// discards unread data.
func (c *Conn) Read(ctx context.Context, p []byte) (int, error) {
	defer Bind(ctx, c.wire)()
	n, err := c.conn.Read(p)
	return n, c.visible(c.behind(err))
}

// Close ends the connection in order.
func (c *Conn) Close() error {
	err := c.conn.Close()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // TLS cannot send its close_notify to a peer that has disappeared
	}
	return err
}

// abort ends the connection without a close_notify, which could block.
func (c *Conn) abort() { c.wire.Close() }

// visible escapes and masks text of the other side in an error, such as the names in its
// certificate.
func (c *Conn) visible(err error) error { return visible(err, c.mask) }

// maxError is the number of bytes of an error that are shown.
const maxError = 1 << 10

func visible(err error, mask *redact.Mask) error {
	if err == nil {
		return nil
	}
	text := mask.Clean(err.Error(), maxError)
	if text == err.Error() {
		return err
	}
	return &shown{text, err}
}

type shown struct {
	text string
	err  error
}

func (e *shown) Error() string { return e.text }
func (e *shown) Unwrap() error { return e.err }
