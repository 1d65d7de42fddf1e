// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"io"
	"syscall"
)

// A Client keeps one connection, and makes a new one when it is needed. It is not
// safe for concurrent use.
type Client struct {
	opts Options
	conn *Conn
}

// NewClient returns a Client that has not dialed yet.
func NewClient(opts Options) *Client { return &Client{opts: opts} }

// Conn returns the connection. When there is none, or the peer has closed it
// meanwhile, it dials; then fresh is true.
func (c *Client) Conn(ctx context.Context) (conn *Conn, fresh bool, err error) {
	if c.conn != nil {
		switch err := c.conn.Check(); {
		case err == nil:
			return c.conn, false, nil
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			c.Abort() // as a server does that was restarted
		default:
			c.Abort()
			return nil, false, err
		}
	}
	c.conn, err = c.opts.Dial(ctx)
	return c.conn, true, err
}

// Write is Conn's, on a connection that is made if need be. After an error the next
// Write makes another.
func (c *Client) Write(ctx context.Context, p []byte) (acknowledged int, err error) {
	conn, _, err := c.Conn(ctx)
	if err != nil {
		return 0, err
	}
	n, err := conn.Write(ctx, p)
	if err != nil {
		c.Abort()
	}
	return n, err
}

// Abort ends the connection, if there is one, without waiting for anything.
func (c *Client) Abort() {
	if c.conn != nil {
		c.conn.abort()
	}
	c.conn = nil
}

// Close ends the connection, if there is one, in order.
func (c *Client) Close() error {
	conn := c.conn
	if c.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
