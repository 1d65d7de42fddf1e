// SPDX-License-Identifier: Apache-2.0

// Package stdout implements the sink that writes events as lines to the daemon's standard
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
// The stream is shared with other processes, so its mode does not change: a write waits
// for the reader and cannot be interrupted. An attempt whose context ends leaves its write
// running, and the next attempt obtains the result.
type Sink struct {
	out   io.Writer
	lines *lines.Buffer
	ended chan result // of the running write of lines; nil without one
	wrote int         // how much of lines the stream has; -1 if the line in left must be ended first
	taken int         // how much of lines is acknowledged
	left  []byte      // the part that the stream has of an incomplete earlier line
}

type result struct {
	n   int
	err error
}

// New returns a sink that writes events to out, encoded by encoder. It does not close out.
func New(out io.Writer, encoder event.Encoder) *Sink {
	return &Sink{out: out, lines: lines.NewBuffer(encoder)}
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.awaitWrite(ctx); err != nil {
		return 0, err
	}
	s.left = append(s.left, s.lines.Bytes()[s.taken:max(s.wrote, s.taken)]...)
	encodeErr := s.lines.Encode(events)
	s.wrote = s.match()
	s.start()
	if err := s.awaitWrite(ctx); err != nil {
		return s.acknowledge(), err
	}
	return s.acknowledge(), encodeErr
}

// match returns how much of the lines the stream already has: events that were not
// acknowledged are delivered again, perhaps in batches of another size. If delivery passes
// other events, it has given up the earlier ones.
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

// start writes the part of the lines that the stream does not have.
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

// awaitWrite waits for the running write.
func (s *Sink) awaitWrite(ctx context.Context) error {
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
		return fmt.Errorf("standard output is not being read: %w", ctx.Err())
	}
}

// acknowledge returns how many of the lines the stream has completely.
func (s *Sink) acknowledge() int {
	if s.ended != nil {
		s.taken = 0
		return 0
	}
	whole, rest := s.lines.Whole(max(s.wrote, 0))
	s.taken = max(s.wrote, 0) - rest
	return whole
}

// Close implements sink.Sink. A write that waits for a reader continues to wait.
func (s *Sink) Close() error { return nil }
