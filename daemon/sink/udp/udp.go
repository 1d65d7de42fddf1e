// SPDX-License-Identifier: Apache-2.0

// Package udp is the sink that sends each event as one UDP datagram. UDP has no
// acknowledgement: an event counts as accepted when the kernel has sent it.
package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
)

var _ sink.Sink = (*Sink)(nil)

// resolveEvery is the interval after which a name is resolved again: UDP does not report
// that a host has moved.
const resolveEvery = time.Minute

// A Sink sends to one host. It resolves the name when there is an event to send.
type Sink struct {
	config  *Config
	encoder event.Encoder
	message []byte
	conn    *net.UDPConn // nil before the first attempt and after an error
	until   time.Time    // when conn is replaced
}

func newSink(c *Config, encoder event.Encoder) *Sink { return &Sink{config: c, encoder: encoder} }

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (accepted int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.connect(ctx); err != nil {
		return 0, s.failed(err)
	}
	defer stream.Bind(ctx, s.conn)()
	for accepted < len(events) {
		err := s.send(&events[accepted])
		switch {
		case err == nil:
			accepted++
		case sink.Poisoned(err) > 0:
			return accepted, err
		default: // the error can belong to an earlier datagram of the batch
			return 0, err
		}
	}
	return s.confirm(accepted)
}

// send sends one event. The errors about the event itself are permanent.
func (s *Sink) send(e *event.Event) (err error) {
	s.message, err = s.encoder.Append(s.message[:0], e)
	limit := int(s.config.MaxMessage)
	switch {
	case err != nil:
		return sink.Refuse(sink.RefusedEncode, e, err)
	case len(s.message) > limit:
		err := fmt.Errorf("the datagram has %d bytes, more than max_message allows, which is %d", len(s.message), limit)
		return sink.Refuse(sink.RefusedTooLarge, e, err)
	}
	_, err = s.conn.Write(s.message)
	switch {
	case errors.Is(err, unix.EMSGSIZE):
		return sink.Refuse(sink.RefusedTooLarge, e, fmt.Errorf("%d bytes: %w", len(s.message), err))
	case err != nil:
		return s.failed(err)
	}
	return nil
}

// confirm returns an error if the host has already answered that no program receives at the
// port. The events that were sent count as lost then: they are sent again.
func (s *Sink) confirm(sent int) (int, error) {
	if err := stream.SocketError(s.conn); err != nil {
		return 0, s.failed(err)
	}
	return sent, nil
}

// connect opens a socket, and replaces a socket that is too old.
func (s *Sink) connect(ctx context.Context) error {
	if s.conn != nil && time.Now().Before(s.until) {
		return nil
	}
	_, address := s.config.Address.Split()
	conn, err := new(net.Dialer).DialContext(ctx, "udp", address)
	if err != nil {
		return err
	}
	err = s.Close()
	s.conn, s.until = conn.(*net.UDPConn), time.Now().Add(resolveEvery)
	return err
}

// failed closes the socket, so that the next attempt resolves the name again.
func (s *Sink) failed(err error) error {
	return errors.Join(fmt.Errorf("send to %s: %w", s.config.Address, err), s.Close())
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	conn := s.conn
	if s.conn = nil; conn == nil {
		return nil
	}
	return conn.Close()
}
