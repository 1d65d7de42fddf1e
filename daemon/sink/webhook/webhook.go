// SPDX-License-Identifier: Apache-2.0

// Package webhook implements the sink that sends events by HTTP requests.
//
// A request is accepted when a complete response with a status of 2xx has arrived. The
// table statuses defines the meaning of other answers. One attempt at a request is one
// request on the wire: redirects are not followed, and only delivery repeats a request.
package webhook

import (
	"context"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink sends to one URL, over one connection that it keeps.
type Sink struct {
	config   *Config
	env      sink.Env
	body     *body
	client   httpclient.Client
	response []byte
	decide   *match.Response // nil: only the status decides
	secrets  *redact.Owner
}

// New returns a sink that connects before it first sends.
func New(c *Config, env sink.Env) (*Sink, error) {
	if err := c.verifyBatch(env.Encoder); err != nil {
		return nil, err
	}
	b, err := newBody(c, env.Encoder)
	if err != nil {
		return nil, err
	}
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secrets of this sink
	}
	s := &Sink{config: c, env: env, body: b, response: make([]byte, maxResponse)}
	s.client = httpclient.Client{TLS: &c.TLS, MaxAge: time.Duration(c.MaxConnectionAge)}
	if c.Response != "" {
		s.response = make([]byte, maxJudged)
		s.decide, err = match.CompileResponse(c.Response)
	}
	if err != nil {
		return nil, sink.Fault("webhook.response", err)
	}
	// The server may know the secrets from an earlier process.
	s.secrets = env.Mask.NewOwner()
	s.secrets.Set(c.readable())
	return s, nil
}

// Deliver implements sink.Sink. With a request for each event, it sends them one after the
// other and stops at the first failure.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	a, err := s.config.access()
	if err != nil {
		return 0, err
	}
	s.secrets.Set(a.secrets) // before the server receives them
	if err := s.client.Connect(a.proxy, s.env.Mask); err != nil {
		return 0, err
	}
	if s.config.single(s.env.Encoder) {
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

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.client.Disconnect()
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
