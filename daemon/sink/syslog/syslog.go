// SPDX-License-Identifier: Apache-2.0

// Package syslog is the sink that sends events to a syslog server: over a local
// socket, UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//
// Syslog has no acknowledgement. What counts as taken is as much as the kernels on the
// way say: over TCP and TLS what the peer's kernel has acknowledged, over local sockets
// what its process has read, over UDP what was sent and not refused at once.
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

// Framing says how messages are told apart in a stream.
type Framing string

const (
	// OctetCounting puts the length before each message.
	OctetCounting Framing = "octet_counting"
	// Newline ends each with a line feed; those within stand as escapes.
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

// A Sink sends to one server. It connects when there is something to send.
type Sink struct {
	messages  messages
	transport transport
}

// A transport carries messages, of which there is at least one. It returns how many, from the first on, count as taken;
// err is nil if and only if that is all.
type transport interface {
	send(ctx context.Context, m *messages) (taken int, err error)
	close() error
}

// New returns a sink that has not connected yet.
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
