// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/genltestd/genltestd/daemon/ratelog"
)

// A Client keeps one connection, and opens another when necessary. It is not safe for
// concurrent use.
type Client struct {
	peer Peer
	log  *ratelog.Logger
	conn *Conn
	born time.Time // of conn
}

// NewClient returns a Client that has not dialed yet.
func NewClient(p Peer) *Client {
	return &Client{peer: p, log: ratelog.New(p.Log)}
}

// Conn returns the connection. If it is not open, or the peer has closed it meanwhile,
// Conn dials; then fresh is true.
func (c *Client) Conn(ctx context.Context) (conn *Conn, fresh bool, err error) {
	if c.conn != nil {
		err := c.conn.Check()
		if err == nil {
			return c.conn, false, nil
		}
		c.Abort()
		if !Ended(err) {
			return nil, false, err // such as a TLS alert about our certificate
		}
	}
	conn, err = c.dial(ctx)
	return conn, true, err
}

func (c *Client) dial(ctx context.Context) (conn *Conn, err error) {
	c.conn, err = c.peer.Dial(ctx)
	c.born = time.Now()
	return c.conn, err
}

// Write is Conn.Write, on a connection that is opened if necessary. After an error the
// next Write opens another. If the peer closes an idle connection while the Write begins,
// Write connects again at once: that is not a failure.
func (c *Client) Write(ctx context.Context, p []byte) (acknowledged int, err error) {
	for {
		conn, fresh := c.conn, c.conn == nil
		if fresh {
			if conn, err = c.dial(ctx); err != nil {
				return 0, err
			}
		}
		n, err := conn.Write(ctx, p)
		if err == nil {
			return n, nil
		}
		c.Abort()
		if fresh || n > 0 || !Ended(err) || ctx.Err() != nil {
			return n, err
		}
	}
}

// Ended reports whether an error means that the peer or the network has ended the
// connection: another connection may work.
func Ended(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &errno)
}

// Abort ends an open connection without waiting.
func (c *Client) Abort() {
	if c.conn != nil {
		c.conn.abort()
	}
	c.conn = nil
}

// Close ends an open connection in order.
func (c *Client) Close() error {
	conn := c.conn
	if c.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
