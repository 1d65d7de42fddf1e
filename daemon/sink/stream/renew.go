// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"
)

const (
	// renewTimeout bounds how long Renew tries to connect. A server that serves one
	// connection at a time completes a TLS handshake only after the old connection ends.
	renewTimeout = 2 * time.Second
	// finishTimeout bounds how long a peer may take to read the rest and to close.
	finishTimeout = time.Second
)

const notRenewed = "cannot renew the connection at max_connection_age; the old connection stays in use"

// Renew replaces a TCP or TLS connection that has reached MaxConnectionAge, so that the
// client follows a host name that has moved. Call it between batches: the peer has then
// acknowledged everything, and nothing has to be sent again.
//
// The new connection is opened first. If that fails, Renew logs the error, and the old
// connection stays in use for another MaxConnectionAge: it works, and a peer may accept only
// one connection.
func (c *Client) Renew(ctx context.Context) {
	age := time.Duration(c.peer.MaxConnectionAge)
	if c.conn == nil || c.conn.local || age <= 0 || time.Since(c.born) < age || c.conn.Check() != nil {
		return // Conn and Write replace a connection that has ended
	}
	c.born = time.Now()
	dialing, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	next, err := c.peer.Dial(dialing)
	if err != nil {
		if ctx.Err() == nil { // else the attempt has ended, and the peer is not the cause
			c.log.Warn(notRenewed, "address", c.peer.Address, "error", err)
		}
		return
	}
	c.log.Resolved(notRenewed, "the connection has been renewed", "address", c.peer.Address)
	c.conn.finish(ctx, finishTimeout)
	c.conn = next
}

// finish ends the connection in order. It waits until the peer has read everything and
// closes its side: otherwise a server with a thread for each connection could read later
// events first. It also keeps unread data of the peer from resetting the connection.
func (c *Conn) finish(ctx context.Context, timeout time.Duration) {
	defer c.wire.Close() // an error changes nothing: all data is acknowledged
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer Bind(ctx, c.wire)()
	if c.endSending() == nil {
		_, _ = io.Copy(io.Discard, c.conn) // until the peer closes or the time is over
	}
}

// endSending closes the sending side of the connection.
func (c *Conn) endSending() error {
	var err error
	if secure, ok := c.conn.(*tls.Conn); ok {
		err = secure.CloseWrite()
	}
	raw, ok := c.wire.Conn.(interface{ CloseWrite() error })
	if !ok {
		return err
	}
	return errors.Join(err, raw.CloseWrite())
}
