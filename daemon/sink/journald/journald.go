// SPDX-License-Identifier: Apache-2.0

// Package journald is the sink that writes events to the systemd journal, as
// entries with fields.
//
// It speaks journald's native protocol by itself and not by go-systemd's
// journal.Send. That has one socket for the whole process, to a fixed path; it is
// not connected, so a sender that waits for room in journald's queue may never be
// woken; and it takes no context.
package journald

import (
	"context"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

var _ sink.Sink = (*Sink)(nil)

// Options say where the journal is and what its entries have beside the event.
type Options struct {
	Socket     string           // of journald's native protocol
	Identifier string           // SYSLOG_IDENTIFIER
	Priority   journal.Priority // of all but gaps, which are warnings at least
	Fields     []Field          // in every entry
}

// A Field has a name that journald takes: at most 64 of A-Z, 0-9 and "_", not
// beginning with "_".
type Field struct{ Name, Value string }

// A Sink sends each event in a datagram of its own, as the protocol wants it.
type Sink struct {
	socket  string
	conn    *net.UnixConn // nil when there is none
	encoder encoder
}

// New returns a sink; journald need not be there yet.
func New(opts Options) *Sink { return &Sink{socket: opts.Socket, encoder: newEncoder(opts)} }

// Deliver implements sink.Sink. An event is taken when it lies in the queue of
// journald's socket. Under systemd that outlives journald; whether it then gets
// into the journal is journald's own matter: its rate limit, its disk.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.connect(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, interrupter(s.conn))
	for i := range events {
		if err := send(s.conn, s.encoder.encode(&events[i])); err != nil {
			stop()
			s.disconnect()
			if ctx.Err() != nil {
				return i, fmt.Errorf("journald takes nothing: its queue is full: %w", ctx.Err())
			}
			return i, fmt.Errorf("send to journald: %w", err)
		}
	}
	if !stop() { // the connection's time is over, now or in a moment
		s.disconnect()
	}
	return len(events), nil
}

func (s *Sink) connect() (err error) {
	if s.conn == nil {
		s.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
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
