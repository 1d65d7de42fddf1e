// SPDX-License-Identifier: Apache-2.0

// Package stdout is the sink that writes events as JSON lines to the daemon's
// standard output; under systemd that is the journal.
package stdout

import (
	"context"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink writes to one stream.
type Sink struct {
	out   io.Writer
	lines *lines.Writer
}

// New returns a sink that writes what encoder makes of events to out, which it does
// not close.
func New(out io.Writer, encoder event.Encoder) *Sink {
	return &Sink{out: out, lines: lines.NewWriter(encoder)}
}

// Deliver implements sink.Sink. A write to a pipe that nobody reads blocks; the
// context cannot end it.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.lines.Write(s.out, events)
	if err != nil {
		return n, fmt.Errorf("write to standard output: %w", err)
	}
	return n, nil
}

// Close implements sink.Sink.
func (s *Sink) Close() error { return nil }
