// SPDX-License-Identifier: Apache-2.0

// Package journald implements the sink that writes events to the systemd journal, as
// entries with fields.
package journald

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/systemd/entry"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink sends each event as a separate datagram, as the protocol requires.
type Sink struct {
	config  *Config
	conn    *net.UnixConn // nil when closed
	encoder encoder
}

// New returns a sink; journald need not run yet.
func New(c *Config) *Sink { return &Sink{config: c, encoder: newEncoder(c)} }

// Deliver implements sink.Sink. An event is accepted when it is in the queue of journald's
// socket. Under systemd that queue survives journald. Whether journald stores the entry
// depends on its rate limit and its disk.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.connect(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, interrupter(s.conn))
	for i := range events {
		if err := entry.Send(s.conn, s.encoder.encode(&events[i])); err != nil {
			stop()
			s.disconnect()
			if ctx.Err() != nil {
				return i, fmt.Errorf("journald does not accept entries: its queue is full: %w", ctx.Err())
			}
			return i, fmt.Errorf("send to journald: %w", err)
		}
	}
	if !stop() { // the connection's deadline is in the past, now or in a moment
		s.disconnect()
	}
	return len(events), nil
}

// interrupter returns a function that interrupts a waiting send by a deadline in the past.
func interrupter(conn *net.UnixConn) func() {
	return func() {
		_ = conn.SetWriteDeadline(time.Unix(1, 0)) // fails only for a closed connection
	}
}

func (s *Sink) connect() (err error) {
	if s.conn == nil {
		s.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.config.Socket, Net: "unixgram"})
	}
	return err
}

func (s *Sink) disconnect() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.disconnect()
	return nil
}
