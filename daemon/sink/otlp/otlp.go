// SPDX-License-Identifier: Apache-2.0

// Package otlp implements the sink that sends OpenTelemetry logs, over HTTP or gRPC.
//
// A request is accepted when the receiver has answered it with a full success. The tables
// statuses and codes define the meaning of other answers. The sink does not use an SDK of
// OpenTelemetry, whose exporters have a queue and retries of their own: the queue is the
// daemon's journal, and only delivery repeats a request.
package otlp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink sends to one receiver, over one connection that it keeps.
type Sink struct {
	config   *Config
	env      sink.Env
	builder  *builder
	client   httpclient.Client
	exporter exporter
	secrets  *redact.Owner
	log      *ratelog.Logger
	warning  string // of the receiver, in its last full success
}

// An exporter makes requests by one of the protocols.
type exporter interface {
	// export makes one request with records, and returns the meaning of the answer. Without
	// an answer it returns an error, and the client is disconnected.
	export(ctx context.Context, a *access, request []byte, records int) (result, error)
	// inUse reports whether the last request may still be read.
	inUse() bool
}

// New returns a sink that connects before it first sends.
func New(c *Config, env sink.Env) (*Sink, error) {
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secrets of this sink
	}
	b, err := newBuilder(c, env)
	if err != nil {
		return nil, err
	}
	s := &Sink{config: c, env: env, builder: b, log: ratelog.New(env.Log)}
	s.client = httpclient.Client{TLS: &c.TLS, MaxAge: time.Duration(c.MaxConnectionAge)}
	if c.Protocol == protocolGRPC {
		s.client.Protocols = new(http.Protocols)
		s.client.Protocols.SetHTTP2(true)
		s.client.Protocols.SetUnencryptedHTTP2(true)
		s.exporter, err = newGRPCExporter(c, env, &s.client)
	} else {
		s.exporter, err = newHTTPExporter(c, env, &s.client)
	}
	if err != nil {
		return nil, err
	}
	// The server may know the secrets from an earlier process.
	s.secrets = env.Mask.NewOwner()
	a, _ := c.access() // Deliver reports the error
	s.secrets.Set(a.secrets)
	return s, nil
}

// Deliver implements sink.Sink. It sends the events in as many requests as max_request
// requires, one after the other, and stops at the first failure.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	a, err := s.config.access()
	if err != nil {
		return 0, err
	}
	s.secrets.Set(a.secrets) // before the server receives them
	for accepted < len(events) {
		n, err := s.deliverSome(ctx, a, events[accepted:])
		accepted += n
		if err != nil {
			return accepted, err
		}
	}
	return accepted, nil
}

// deliverSome makes one request with the first of the events.
func (s *Sink) deliverSome(ctx context.Context, a *access, events []event.Event) (accepted int, err error) {
	if s.exporter.inUse() {
		s.builder.text = nil
	}
	request, n, permanent := s.builder.build(events)
	if n == 0 {
		return 0, permanent
	}
	if err := s.client.Connect(nil, s.env.Mask); err != nil {
		return 0, err
	}
	r, err := s.exporter.export(ctx, a, request, n)
	if err != nil {
		return 0, httpclient.Failed(ctx, where(a), err, s.env.Mask)
	}
	if err := s.evaluate(a, r, n); err != nil {
		return 0, err
	}
	return n, permanent
}

func where(a *access) string { return "export to " + a.url.Scheme + "://" + a.url.Host }

// evaluate returns the error of an answer that does not accept all of n records.
func (s *Sink) evaluate(a *access, r result, n int) error {
	if r.otherServer {
		s.client.Disconnect()
	}
	switch {
	case r.verdict == accepted && r.rejected != 0:
		return s.rejected(a, r, n)
	case r.verdict == accepted:
		s.warn(r.message)
		return nil
	}
	err := fmt.Errorf("%s: %s", where(a), r.message)
	switch {
	case r.verdict == permanent:
		return sink.PermanentAmong(n, r.refusal.Mark(err))
	case r.delay > 0:
		return sink.RetryAfter(r.delay, err)
	}
	return err
}

// rejected returns the error of a partial success. The answer does not contain which records
// were rejected, so delivery finds them with smaller batches. Records that the receiver has
// accepted arrive again meanwhile, with the same log.record.uid.
func (s *Sink) rejected(a *access, r result, n int) error {
	err := fmt.Errorf("%s: the receiver rejected %d of %d records: %s", where(a), r.rejected, n, r.message)
	return sink.PermanentAmong(n, sink.Refusal{Kind: sink.RefusedByBroker}.Mark(err))
}

// warn logs a warning of a receiver that has accepted all records, when it changes.
func (s *Sink) warn(text string) {
	if text != "" && text != s.warning {
		s.log.Warn("the receiver accepted the records with a warning", "warning", text)
	}
	s.warning = text
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.client.Disconnect()
	s.secrets.Close()
	return nil
}
