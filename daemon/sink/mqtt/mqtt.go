// SPDX-License-Identifier: Apache-2.0

// Package mqtt implements the sink that publishes events to an MQTT 5 broker.
//
// It uses the packets of paho.golang with a connection of its own, for three reasons. The client
// of that library waits for each acknowledgement in a goroutine of its own, or does not report
// it. Its session sends messages again by itself, but delivery is responsible for that. It
// allocates the length that a broker announces before it has read a byte.
//
// With QoS 1 an event is accepted when its PUBACK has arrived. The table reasons defines the
// meaning of reason codes. The broker ends an earlier connection with the same client id before
// it accepts a new one, so messages of the two cannot overtake each other.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
	"github.com/genltestd/genltestd/daemon/sink/window"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink publishes to one broker at a time, over one connection that it keeps.
type Sink struct {
	config   *Config
	env      sink.Env
	composer *composer
	window   window.Window
	secrets  *redact.Owner

	link      *link  // nil before the first attempt, and after a link has ended
	access    access // of link
	at        int    // index of the address that is used next
	cautious  bool   // the latest link was lost with messages in flight; a test does not end that
	takeovers takeovers
	resumable map[event.Key]uint16
	number    uint16 // of the latest message
}

// New returns a sink that connects before it first publishes.
func New(c *Config, env sink.Env) (*Sink, error) {
	m, err := newComposer(c, env)
	if err != nil {
		return nil, err
	}
	if env.Mask == nil {
		env.Mask = new(redact.Mask) // for the secrets of this sink
	}
	s := &Sink{config: c, env: env, composer: m, at: rand.IntN(len(c.Addresses))}
	// The broker may know the password from an earlier process.
	s.secrets = env.Mask.NewOwner()
	_, _ = s.password() // an attempt reports the error
	return s, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return 0, err
	}
	earlier := s.link
	if err := s.connect(ctx, &events[0]); err != nil {
		return 0, err
	}
	before := s.link.repliesSoFar()
	if s.cautious {
		accepted, err = s.send(ctx, events[:1])
	}
	if err == nil {
		var n int
		n, err = s.send(ctx, events[accepted:])
		s.cautious, accepted = s.cautious && events[0].Test != nil, accepted+n
	}
	if errors.Is(err, context.DeadlineExceeded) && s.link == earlier && s.link.stalled(before) {
		s.link.end(errStalled)
	}
	if err != nil && s.link.hasEnded() {
		err = s.leave(err)
	}
	return accepted, err
}

func (s *Sink) send(ctx context.Context, events []event.Event) (int, error) {
	return s.window.Deliver(ctx, events, func(e *event.Event, m *window.Message) error { return s.publish(ctx, e, m.Done) })
}

// errStalled is for a broker that has acknowledged nothing during an attempt. It may have lost
// the messages, or their acknowledgements may be lost.
var errStalled = errors.New("the broker acknowledged no message during an attempt")

func (s *Sink) publish(ctx context.Context, e *event.Event, done func(error)) error {
	p, err := s.composer.compose(e)
	if err == nil {
		err = s.link.publish(ctx, e, p, done)
	}
	if errors.Is(err, errTooLong) {
		err = sink.Refuse(sink.RefusedTooLarge, e, fmt.Errorf("%w, which is the Maximum Packet Size of %s", err, s.link.name))
	}
	return err
}

// connect opens a link, unless one exists and is current.
func (s *Sink) connect(ctx context.Context, first *event.Event) error {
	a, err := s.currentAccess(first)
	if err != nil {
		return err
	}
	if s.link != nil && !s.link.hasEnded() && !s.access.equal(a) {
		s.link.drain(ctx) // so that no message is sent twice
		s.disconnect()
	}
	if s.link != nil && s.link.hasEnded() {
		// The end of an idle link is a fault only if another client is the cause.
		if err := s.leave(s.link.err); sink.RetryDelay(err) > 0 {
			return err
		}
	}
	if s.link != nil {
		return nil
	}
	return s.connectAny(ctx, a)
}

// leave forgets a link that has ended, and returns err, the reason. The next address is used next.
func (s *Sink) leave(err error) error {
	err = s.takeovers.evaluate(s.link, err)
	s.at++
	s.forget()
	s.cautious = len(s.resumable) > 0
	return err
}

// forget prepares the next link of the same session.
func (s *Sink) forget() {
	s.link.closed.Wait()
	s.resumable, s.number = s.link.unfinished(), s.link.number
	s.link = nil
}

// connectAny tries each address once, and divides the time of the attempt between them.
func (s *Sink) connectAny(ctx context.Context, a *access) error {
	var errs []error
	for left := len(s.config.Addresses); left > 0 && ctx.Err() == nil; left-- {
		err := s.connectNext(ctx, left, a)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
		s.takeovers.reset()
		s.at++
	}
	if len(errs) == 0 {
		return ctx.Err() // of an attempt that has ended before the first address
	}
	return errors.Join(errs...)
}

func (s *Sink) connectNext(ctx context.Context, left int, a *access) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	address := s.config.Addresses[s.at%len(s.config.Addresses)]
	l, reader, err := s.open(ctx, address, a)
	if err == nil {
		if err = l.check(s.config); err != nil {
			err = errors.Join(err, l.conn.Close())
		}
	}
	if err != nil {
		return failed(s.env.Mask, "connect to "+string(address), err)
	}
	s.window.Limit = min(s.config.MaxInFlight, int(l.limits.receiveMaximum))
	s.link, s.access = l, *a
	l.start(reader)
	return nil
}

// currentAccess reads the password, and examines the files of TLS.
func (s *Sink) currentAccess(first *event.Event) (*access, error) {
	a := &access{clientID: s.config.ClientID, files: tlsclient.VersionOf(&s.config.TLS)}
	if a.clientID == "" {
		a.clientID = "genltestd-" + first.JournalID + "-" + s.env.Sink
	}
	var err error
	a.password, err = s.password()
	return a, err
}

func (s *Sink) password() (text string, err error) {
	if s.config.Password.IsZero() {
		return "", nil
	}
	if text, err = secret.Read(s.config.Password); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	var texts redact.Texts
	texts.Add(text)
	s.secrets.Set(texts) // before the broker receives it
	return text, nil
}

// equal reports whether a connection with the old access can continue.
func (a *access) equal(b *access) bool {
	return a.clientID == b.clientID && a.password == b.password && a.files.Equal(b.files)
}

// disconnect ends the link in order.
func (s *Sink) disconnect() {
	if !s.link.hasEnded() {
		s.link.farewell()
	}
	s.forget()
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	if s.link != nil {
		s.disconnect()
	}
	s.secrets.Close()
	return nil
}
