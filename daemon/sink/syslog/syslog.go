// SPDX-License-Identifier: Apache-2.0

// Package syslog implements the sink that sends events to a syslog server: over a local
// socket, UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//
// Syslog does not have an acknowledgement. An event counts as accepted by the best
// evidence of each transport: over TCP and TLS the peer's kernel has acknowledged it, over
// local sockets the peer's process has read it, over UDP it was sent and not refused at
// once.
package syslog

import (
	"context"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink sends to one server. It connects before it first sends.
type Sink struct {
	messages  messages
	transport transport
}

// A transport sends messages, at least one. It returns how many of them, from the first
// on, count as accepted; err is nil if and only if all do.
type transport interface {
	send(ctx context.Context, m *messages) (taken int, err error)
	close() error
}

// New returns a sink without a connection.
func New(c *Config, env sink.Env) *Sink {
	s := &Sink{messages: messages{encoder: env.Encoder, limit: int(c.MaxMessage)}}
	switch scheme, place := c.Address.Split(); scheme {
	case "unixgram":
		s.transport = &unixgram{path: place}
	case "udp":
		s.transport = newUDP(place)
	default:
		s.messages.framing = c.Framing
		s.transport = &streamed{stream.NewClient(stream.Peer{
			Address: c.Address, TLS: c.TLS, MaxConnectionAge: c.MaxConnectionAge, Mask: env.Mask, Log: env.Log,
		})}
	}
	return s
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	refused := s.messages.encode(events)
	if s.messages.count() == 0 {
		return 0, refused
	}
	taken, err := s.transport.send(ctx, &s.messages)
	if err == nil {
		err = refused
	}
	return taken, err
}

// Close implements sink.Sink.
func (s *Sink) Close() error { return s.transport.close() }

// streamed is the transport over unix stream sockets, TCP and TLS.
type streamed struct{ client *stream.Client }

func (s *streamed) send(ctx context.Context, m *messages) (int, error) {
	s.client.Renew(ctx)
	acknowledged, err := s.client.Write(ctx, m.buf)
	return m.within(acknowledged), err
}

func (s *streamed) close() error { return s.client.Close() }
