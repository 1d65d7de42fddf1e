// SPDX-License-Identifier: Apache-2.0

// Package socket implements the sink that writes events as lines to a stream socket: as a
// client of one peer (Client), or to every client that connects to its own socket
// (Listener).
package socket

import (
	"context"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

var _ sink.Sink = (*Client)(nil)

// A Client writes to one peer. It connects before its first write.
type Client struct {
	config  *Config
	mask    *redact.Mask // of the peer's answers; nil is empty
	client  *stream.Client
	lines   *lines.Writer
	answers answers
}

// NewClient returns a Client without a connection.
func NewClient(c *Config, env sink.Env) *Client {
	peer := stream.Peer{Address: c.Address, TLS: c.TLS, MaxConnectionAge: c.MaxConnectionAge, Mask: env.Mask, Log: env.Log}
	return &Client{config: c, mask: env.Mask, client: stream.NewClient(peer), lines: lines.NewWriter(env.Encoder)}
}

// Deliver implements sink.Sink.
func (c *Client) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c.client.Renew(ctx)
	if c.config.Acknowledge {
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
	_, place := c.config.Address.Split()
	return fmt.Errorf("socket %s: %w", place, err)
}

// Close implements sink.Sink.
func (c *Client) Close() error { return c.client.Close() }

// writer is the connection of one attempt.
type writer struct {
	ctx    context.Context
	client *stream.Client
}

func (w writer) Write(p []byte) (int, error) { return w.client.Write(w.ctx, p) }
