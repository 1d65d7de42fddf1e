// SPDX-License-Identifier: Apache-2.0

// Package httpclient contains the parts that sinks with HTTP requests share: the connections,
// compressed bodies, headers with secrets, and the reading of responses.
package httpclient

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// A link is a transport with its connections, and the files and proxy that they depend on.
// It carries one request at a time.
type link struct {
	transport *http.Transport
	files     tlsclient.Version
	proxy     string
	born      time.Time

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

// newLink does not dial.
func newLink(t *value.TLS, proxy *url.URL, protocols *http.Protocols) (*link, error) {
	files := tlsclient.VersionOf(t)
	config, err := tlsclient.Config(t)
	if err != nil {
		return nil, err
	}
	l := &link{files: files, proxy: proxyName(proxy), born: time.Now(), open: make(map[*conn]struct{})}
	l.transport = &http.Transport{
		Proxy:                  http.ProxyURL(proxy),
		DialContext:            l.dial,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    30 * time.Second,
		ForceAttemptHTTP2:      true,
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second},
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // of responses, which are read only for errors
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        64 << 10,
	}
	return l, nil
}

// stale reports whether a TLS file or the proxy was replaced since the link was created.
func (l *link) stale(t *value.TLS, proxy *url.URL) bool {
	return l.proxy != proxyName(proxy) || !l.files.Equal(tlsclient.VersionOf(t))
}

// olderThan reports whether the link has reached an age; 0 disables the limit. Its
// connections keep the addresses to which the receiver's name resolved when they were
// opened.
func (l *link) olderThan(age time.Duration) bool { return age > 0 && time.Since(l.born) >= age }

func proxyName(proxy *url.URL) string {
	if proxy == nil {
		return ""
	}
	return proxy.String()
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	dialed, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: dialed, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		dialed.Close()
		return nil, net.ErrClosed
	}
	l.open[c] = struct{}{}
	return c, nil
}

// close ends all connections, including those that the transport would keep for another
// request: a connection with an overdue answer must not be used again.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	open := make([]*conn, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	l.transport.CloseIdleConnections()
}

// A conn is registered in its link until it is closed.
type conn struct {
	net.Conn
	link *link
	left int // bytes that were not acknowledged when it was closed; link.mu guards it
}

func (c *conn) Close() error {
	left := c.queued()
	c.link.mu.Lock()
	if _, open := c.link.open[c]; open {
		c.left = left
	}
	delete(c.link.open, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

// unacknowledged returns how many bytes the peer's kernel has not acknowledged.
func (c *conn) unacknowledged() int {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if _, open := c.link.open[c]; open {
		return c.queued()
	}
	return c.left
}

func (c *conn) queued() int {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	n, _ := stream.Queued(raw) // 0 when it is closed
	return n
}
