// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

const dialTimeout = 10 * time.Second

// A link opens the connections of a client, and can close all of them: the client then opens
// others, with the current files and secrets, and sends the records without a reply again.
// The brokers recognize records that they have already.
type link struct {
	config *Config

	mu   sync.Mutex
	open map[*conn]struct{}
}

func newLink(c *Config) *link { return &link{config: c, open: make(map[*conn]struct{})} }

// dial reads the TLS files for each connection.
func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialed, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if l.config.usesTLS() {
		encrypted, err := tlsclient.Handshake(ctx, dialed, &l.config.TLS, address)
		if err != nil {
			dialed.Close()
			return nil, fmt.Errorf("%s: %w", address, err)
		}
		dialed = encrypted
	}
	c := &conn{Conn: dialed, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	return c, nil
}

// closeAll closes the connections that are open.
func (l *link) closeAll() {
	l.mu.Lock()
	open := make([]*conn, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// A conn is registered in its link until it is closed.
type conn struct {
	net.Conn
	link *link
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.open, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
