// SPDX-License-Identifier: Apache-2.0

// Package socket implements the sink that writes events as lines to a stream socket: as a
// client of one peer (Client), or to every client that connects to its own socket
// (Listener).
package socket

import (
	"context"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

var _ sink.Sink = (*Client)(nil)

// ClientOptions say where and how to write.
type ClientOptions struct {
	Stream      stream.Options
	Acknowledge bool // the peer confirms each event: see confirm.go
	Encoder     event.Encoder
}

// Check reads the TLS files.
func (o ClientOptions) Check() error {
	if o.Stream.Network != "tls" {
		return nil
	}
	return o.Stream.TLS.Check("socket.tls")
}

// A Client writes to one peer. It connects before its first write.
type Client struct {
	opts    ClientOptions
	client  *stream.Client
	lines   *lines.Writer
	answers answers
}

// NewClient returns a Client without a connection.
func NewClient(o ClientOptions) *Client {
	return &Client{opts: o, client: stream.NewClient(o.Stream), lines: lines.NewWriter(o.Encoder)}
}

// Deliver implements sink.Sink.
func (c *Client) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c.client.Renew(ctx)
	if c.opts.Acknowledge {
		return c.deliverConfirmed(ctx, events)
	}
	n, err := c.lines.Write(writer{ctx, c.client}, events)
	c.lines.Reset() // an incomplete line ends with its connection
	return n, c.describe(err)
}

func (c *Client) describe(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("socket %s: %w", c.opts.Stream.Address, err)
}

// Close implements sink.Sink.
func (c *Client) Close() error { return c.client.Close() }

// writer is the connection of one attempt.
type writer struct {
	ctx    context.Context
	client *stream.Client
}

func (w writer) Write(p []byte) (int, error) { return w.client.Write(w.ctx, p) }
