// SPDX-License-Identifier: Apache-2.0

// Package stdout is the sink that writes events as lines to the daemon's standard
// output; under systemd that is the journal.
package stdout

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var _ sink.Sink = (*Sink)(nil)

// A Sink writes to one stream.
//
// The stream is shared with other processes, so it stays in the mode it has, in
// which a write waits for whoever reads. Nothing can interrupt that: an attempt whose
// context ends leaves its write under way, and the next one finds out how it ended.
type Sink struct {
	out   io.Writer
	lines *lines.Buffer
	ended chan result // of the write that is under way, of lines; nil when none is
	wrote int         // how much of lines the stream has; -1 when a line of left is to be ended first
	taken int         // how much of lines is acknowledged
	left  []byte      // what the stream has of earlier lines that never were
}

type result struct {
	n   int
	err error
}

// New returns a sink that writes what encoder makes of events to out, which it does
// not close.
func New(out io.Writer, encoder event.Encoder) *Sink {
	return &Sink{out: out, lines: lines.NewBuffer(encoder)}
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.land(ctx); err != nil {
		return 0, err
	}
	s.left = append(s.left, s.lines.Bytes()[s.taken:max(s.wrote, s.taken)]...)
	encodeErr := s.lines.Encode(events)
	s.wrote = s.match()
	s.start()
	if err := s.land(ctx); err != nil {
		return s.acknowledge(), err
	}
	return s.acknowledge(), encodeErr
}

// match returns how much of the lines the stream has already: events that were not
// acknowledged come again, though perhaps not as many at a time. When others come,
// those were given up in the meantime.
func (s *Sink) match() (wrote int) {
	text := s.lines.Bytes()
	n := min(len(text), len(s.left))
	if bytes.Equal(text[:n], s.left[:n]) {
		s.left = s.left[n:]
		return n
	}
	s.left = s.left[bytes.LastIndexByte(s.left, '\n')+1:]
	if len(s.left) > 0 {
		return -1
	}
	return 0
}

// start writes what the stream does not have of the lines.
func (s *Sink) start() {
	text := s.lines.Bytes()[max(s.wrote, 0):]
	if s.wrote < 0 {
		text = append([]byte{'\n'}, text...)
	}
	if len(text) == 0 {
		return
	}
	ended := make(chan result, 1)
	s.ended = ended
	go func() {
		n, err := s.out.Write(text)
		if err == nil && n < len(text) {
			err = io.ErrShortWrite
		}
		ended <- result{n, err}
	}()
}

// land waits for the write that is under way.
func (s *Sink) land(ctx context.Context) error {
	if s.ended == nil {
		return nil
	}
	select {
	case r := <-s.ended:
		if s.wrote < 0 && r.n > 0 {
			s.left = nil
		}
		s.ended, s.wrote = nil, s.wrote+r.n
		if r.err != nil {
			return fmt.Errorf("write to standard output: %w", r.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody reads standard output: %w", ctx.Err())
	}
}

// acknowledge returns how many of the lines the stream has as a whole.
func (s *Sink) acknowledge() int {
	if s.ended != nil {
		s.taken = 0
		return 0
	}
	whole, rest := s.lines.Whole(max(s.wrote, 0))
	s.taken = max(s.wrote, 0) - rest
	return whole
}

// Close implements sink.Sink. A write that waits for a reader goes on waiting.
func (s *Sink) Close() error { return nil }
