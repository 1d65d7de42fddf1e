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
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

var _ sink.Sink = (*Sink)(nil)

// Framing separates the messages of a stream.
type Framing string

const (
	// OctetCounting puts the length before each message.
	OctetCounting Framing = "octet_counting"
	// Newline ends each with a line feed; line feeds within a message are escaped.
	Newline Framing = "newline"
)

// Options say where and how to send.
type Options struct {
	Network    string // unixgram, unixstream, udp, tcp or tls
	Address    string // a path, or host:port
	TLS        tlsclient.Options
	Framing    Framing // of a stream
	MaxMessage int     // bytes; a longer event is refused for good
	Encoder    event.Encoder
	Mask       *redact.Mask // of what a server of TLS sends; nil is none

	MaxConnectionAge time.Duration // of TCP and TLS; 0 is no limit
}

// Check reads the TLS files.
func (o Options) Check() error {
	if o.Network != "tls" {
		return nil
	}
	return o.TLS.Check("syslog.tls")
}

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
func New(o Options) *Sink {
	s := &Sink{messages: messages{encoder: o.Encoder, limit: o.MaxMessage}}
	switch o.Network {
	case "unixgram":
		s.transport = &unixgram{path: o.Address}
	case "udp":
		s.transport = newUDP(o.Address)
	default:
		s.messages.framing = o.Framing
		network := o.Network
		if network == "unixstream" {
			network = "unix"
		}
		s.transport = &streamed{stream.NewClient(stream.Options{
			Network: network, Address: o.Address, TLS: o.TLS, Mask: o.Mask, MaxConnectionAge: o.MaxConnectionAge,
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
