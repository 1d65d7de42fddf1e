// SPDX-License-Identifier: Apache-2.0

// Package webhook implements the sink that sends events by HTTP requests.
//
// A request is accepted when a complete response with a status of 2xx has arrived. The
// table statuses defines the meaning of other answers. One attempt at a request is one
// request on the wire: redirects are not followed, and only delivery repeats a request.
package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

var _ sink.Sink = (*Sink)(nil)

// Options say where and how to send. Secrets and files are read anew for each
// attempt, so that what was rotated is used.
type Options struct {
	URL         secret.Source // http or https; a user in it counts as User and Password
	Method      string
	Version     string // of the daemon, for the header User-Agent
	Encoder     event.Encoder
	Batch       Batch
	Compression Compression
	Mask        *redact.Mask // of what the server sends back; nil has the secrets of this sink only

	Bearer            secret.Source
	User              string // of the scheme Basic, "" is none
	Password          secret.Source
	Headers           []Header
	SigningSecrets    []secret.Source
	IdempotencyHeader string // "" is none

	Proxy                secret.Source // http, https or socks5
	ProxyFromEnvironment bool
	TLS                  tlsclient.Options
	MaxConnectionAge     time.Duration // 0 is no limit

	Taken, Retry, Permanent []int  // statuses, in place of what the table says
	Response                string // an expression that decides with them; "" is none
}

// A Header is one more header of each request.
type Header struct {
	Name  string
	Value secret.Source
}

// Batch says how several events go into one request.
type Batch int

const (
	// Array makes a JSON array of them.
	Array Batch = iota
	// Lines gives each a line.
	Lines
	// None gives each a request.
	None
)

// Compression is of the bodies.
type Compression string

const (
	// Identity leaves them as they are.
	Identity Compression = ""
	// Gzip is RFC 1952.
	Gzip Compression = "gzip"
	// Zstd is RFC 8878.
	Zstd Compression = "zstd"
)

// A Sink sends to one URL, over one connection that it keeps.
type Sink struct {
	opts     Options
	body     *body
	link     *link // nil before the first attempt and after a failure
	response []byte
	decide   *match.Response // nil: only the status decides
	secrets  *redact.Owner
}

// New returns a sink that connects before it first sends.
func New(opts Options) (*Sink, error) {
	if err := opts.checkBatch(); err != nil {
		return nil, err
	}
	b, err := newBody(&opts)
	if err != nil {
		return nil, err
	}
	if opts.Mask == nil {
		opts.Mask = new(redact.Mask)
	}
	s := &Sink{opts: opts, body: b, response: make([]byte, maxResponse)}
	if opts.Response != "" {
		s.response = make([]byte, maxJudged)
		s.decide, err = match.CompileResponse(opts.Response)
	}
	if err != nil {
		return nil, optionError("response", err)
	}
	// The server may know the secrets from an earlier process.
	s.secrets = opts.Mask.NewOwner()
	s.secrets.Set(opts.readable())
	return s, nil
}

// Deliver implements sink.Sink. With a request for each event, it sends them one after the
// other and stops at the first failure.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	a, err := s.opts.access()
	if err != nil {
		return 0, err
	}
	s.secrets.Set(a.secrets) // before the server receives them
	if err := s.connect(a); err != nil {
		return 0, err
	}
	if s.opts.single() {
		return s.deliverEach(ctx, a, events)
	}
	text, n, err := s.body.many(events)
	if n == 0 {
		return 0, err
	}
	if err := s.send(ctx, a, events[:n], text); err != nil {
		return 0, err
	}
	return n, err
}

func (s *Sink) deliverEach(ctx context.Context, a *access, events []event.Event) (accepted int, err error) {
	for i := range events {
		text, err := s.body.one(&events[i])
		if err == nil {
			err = s.send(ctx, a, events[i:i+1], text)
		}
		if err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// connect creates a link, unless one exists and is current.
func (s *Sink) connect(a *access) (err error) {
	if s.link != nil && (s.link.stale(s.opts.TLS, a.proxy) || s.link.olderThan(s.opts.MaxConnectionAge)) {
		s.disconnect()
	}
	if s.link == nil {
		s.link, err = newLink(s.opts.TLS, a.proxy)
	}
	if err != nil {
		return fmt.Errorf("tls: %s", s.opts.Mask.Clean(err.Error(), maxError))
	}
	return nil
}

func (s *Sink) disconnect() {
	if s.link != nil {
		s.link.close()
		s.link = nil
	}
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.disconnect()
	s.secrets.Close()
	return nil
}

// idOf identifies the events of a request, identically on every attempt with the same
// events: by the event's id, or by the first and the last id.
func idOf(events []event.Event) string {
	first, last := events[0].ID(), events[len(events)-1].ID()
	if first == last {
		return first
	}
	return first + "_" + last
}
