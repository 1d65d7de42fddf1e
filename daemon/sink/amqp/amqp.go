// SPDX-License-Identifier: Apache-2.0

// Package amqp implements the sink that publishes events to a broker of AMQP 0-9-1, such as
// RabbitMQ.
//
// An event is accepted when the broker has confirmed its message, and has not returned it
// before. Many messages are in flight; package window keeps those without an answer from one
// attempt to the next. A message is published again only after a loss of the connection, or
// after the broker has rejected or returned it.
package amqp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink publishes over one connection, which it keeps.
type Sink struct {
	config  *Config
	env     sink.Env
	writer  writer
	window  window.Window
	session *session // nil before the first attempt and after a loss
	next    int      // index of the address that is tried next
	secrets *redact.Owner
}

// New returns a sink that connects before it first publishes.
func New(c *Config, env sink.Env) (*Sink, error) {
	templates, err := compile(c, env)
	if err != nil {
		return nil, err
	}
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secret of this sink
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	s := &Sink{
		config: c, env: env, writer: writer{config: c, encoder: env.Encoder, templates: templates},
		window: window.Window{Limit: c.MaxInFlight}, next: rand.IntN(len(c.Addresses)), secrets: env.Mask.NewOwner(),
	}
	if password, err := s.password(); err == nil {
		s.mask(password) // the broker may know it from an earlier process
	}
	return s, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	release := s.session.bind(ctx)
	waiting, cancel := context.WithCancelCause(ctx)
	free := s.session.gate.whenBlocked(cancel)
	accepted, err = s.window.Deliver(waiting, events, s.send)
	free()
	release()
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		err = context.Cause(waiting)
	}
	cancel(nil)
	if err != nil {
		err = s.failed(ctx, err, len(events)-accepted)
	}
	if s.session.closed() {
		s.disconnect()
	}
	return accepted, err
}

// send publishes the message of one event.
func (s *Sink) send(e *event.Event, message *window.Message) error {
	if err := s.session.gate.blocked(); err != nil {
		return err
	}
	m, err := s.writer.write(e)
	if err != nil {
		return err
	}
	if size, limit := m.headerBytes(), s.session.amqp.Config.FrameSize; limit > 0 && size > limit {
		return sink.Refuse(sink.RefusedTooLarge, e, fmt.Errorf("the headers have %d bytes; the frame_max of the broker is %d", size, limit))
	}
	return s.session.publish(s.config.Exchange, s.config.Returned != returnedDrop, &m, message.Done)
}

// connect opens a session, unless one exists and is current. It tries each address once.
func (s *Sink) connect(ctx context.Context) error {
	password, err := s.password()
	if err != nil {
		return fmt.Errorf("password: %w", err)
	}
	if s.session != nil && (s.session.closed() || s.session.silent(s.env.Now()) || s.stale(password)) {
		s.disconnect()
	}
	if s.session != nil {
		return nil
	}
	s.mask(password) // before the broker receives it
	var texts []string
	var untrusted error
	for range s.config.Addresses {
		address := s.config.Addresses[s.next]
		if s.session, err = s.open(ctx, address, password); err == nil {
			return nil
		}
		untrusted = errors.Join(untrusted, sink.Untrusted(err))
		s.next = (s.next + 1) % len(s.config.Addresses)
		texts = append(texts, fmt.Sprintf("connect to %s: %s", address, s.env.Mask.Clean(s.connectError(err), maxError)))
		if ctx.Err() != nil {
			break
		}
	}
	return sink.WithText(strings.Join(texts, "; "), errors.Join(ctx.Err(), untrusted))
}

// stale reports whether the session was opened with another password or other TLS files.
func (s *Sink) stale(password string) bool {
	return s.session.password != password ||
		s.session.address.HasScheme(schemeTLS) && !s.session.files.Equal(tlsclient.VersionOf(&s.config.TLS))
}

// guest is the user of a new broker, and its password.
const guest = "guest"

func (s *Sink) password() (string, error) {
	if s.config.Password.IsZero() {
		return guest, nil
	}
	return secret.Read(s.config.Password)
}

func (s *Sink) mask(password string) {
	var texts redact.Texts
	if !s.config.Password.IsZero() {
		texts.Add(password)
	}
	s.secrets.Set(texts)
}

func (s *Sink) disconnect() {
	if s.session != nil {
		s.session.close()
		s.session = nil
	}
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.disconnect()
	s.secrets.Close()
	return nil
}
