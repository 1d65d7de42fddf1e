// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

var (
	_ sink.Sink = (*Stream)(nil)

	errClosed  = errors.New("has closed its standard output")
	errUnasked = errors.New("printed an answer before it received an event")
)

// Stream is a sink that keeps a program running. The program receives events as lines on
// standard input and answers each on standard output: see answer.
type Stream struct {
	config   *Config
	launcher launcher
	lines    *lines.Writer
	early    early
	program  *conversation // nil unless it runs
	secrets  *redact.Owner // nil without a mask
}

// A conversation is a program with its two pipes.
type conversation struct {
	*process
	in      *os.File
	answers chan answer   // closed behind the last
	over    chan struct{} // closed when answers are no longer read
}

// NewStream returns a sink; the program is started by the first Deliver.
func NewStream(c *Config, env sink.Env) *Stream {
	return &Stream{
		config: c, launcher: newLauncher(c, env), lines: lines.NewWriter(env.Encoder), early: make(early),
		secrets: maskVariables(env.Mask, c.Environment),
	}
}

// Deliver implements sink.Sink. An event is accepted when the program confirms it. The
// program receives all events at once, and must answer each: a program that leaves one
// unanswered until the context ends, exits, or prints any other line, is terminated, and
// the next Deliver starts another.
func (s *Stream) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	verdicts := s.early.verdicts(events, errUnanswered)
	given, indexes := open(events, verdicts)
	if len(given) > 0 {
		round := newRound(given, s.launcher.mask)
		err := s.converse(ctx, round)
		for i, index := range indexes {
			if verdicts[index] = round.verdicts[i]; errors.Is(verdicts[index], errUnanswered) {
				verdicts[index] = err
			}
		}
	}
	return s.early.settle(events, verdicts)
}

// open returns the events without a verdict, and their indexes.
func open(events []event.Event, verdicts []error) (given []event.Event, indexes []int) {
	for i := range events {
		if verdicts[i] != nil {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == len(events) {
		return events, indexes
	}
	for _, i := range indexes {
		given = append(given, events[i])
	}
	return given, indexes
}

// converse passes the events of a round to the program and reads its answers. An error is
// the reason for unanswered events.
func (s *Stream) converse(ctx context.Context, r *round) error {
	if s.program == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	err := s.program.quiet()
	if err == nil {
		err = s.exchange(ctx, r)
	}
	if err == nil || sink.Poisoned(err) > 0 {
		return err
	}
	p := s.program
	hungUp := (errors.Is(err, errClosed) || errors.Is(err, unix.EPIPE)) && p.exits()
	stopErr := s.stop()
	if hungUp {
		err = fmt.Errorf("has exited: %s", p.cmd.ProcessState)
	}
	return errors.Join(p.describe(err), stopErr)
}

func (s *Stream) start() error {
	p, err := s.launcher.prepare(nil)
	if err != nil {
		return err
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c := &conversation{process: p, in: in.(*os.File), answers: make(chan answer, 128), over: make(chan struct{})}
	if err := s.launcher.start(p); err != nil {
		return err
	}
	go readAnswers(out, s.launcher.mask, c.answers, c.over)
	s.lines.Reset()
	s.program = c
	return nil
}

// quiet returns an error if the program has printed a line before it received an event, or
// has exited.
func (c *conversation) quiet() error {
	select {
	case a, ok := <-c.answers:
		switch {
		case !ok:
			return errClosed
		case a.err != nil:
			return a.err
		}
		return errUnasked
	default:
		return nil
	}
}

type written struct {
	n   int
	err error
}

// exchange writes while it reads: each side may wait for the other to read.
func (s *Stream) exchange(ctx context.Context, r *round) error {
	c := s.program
	done := make(chan written, 1)
	go func() {
		n, err := s.lines.Write(c.in, r.events)
		done <- written{n, err}
	}()
	w, finished, err := s.listen(ctx, r, done)
	if !finished { // the caller owns the events after this
		c.in.SetWriteDeadline(time.Unix(1, 0)) // fails when it is closed
		<-done
	}
	if err == nil {
		err = w.err
	}
	return err
}

// listen reads answers until every written line is answered.
func (s *Stream) listen(ctx context.Context, r *round, done <-chan written) (w written, finished bool, err error) {
	c := s.program
	exited := (<-chan struct{})(c.exited)
	var gone <-chan time.Time
	for want := len(r.events); !finished || !r.answered(want); {
		select {
		case a, ok := <-c.answers:
			if !ok {
				return w, finished, errClosed
			}
			if err := r.take(a); err != nil {
				return w, finished, err
			}
		case w = <-done:
			finished, want = true, w.n
			if w.err != nil && sink.Poisoned(w.err) == 0 { // it has stopped reading, and will hardly answer
				gone = time.After(strayWait)
			}
		case <-exited: // its remaining output is still to read
			_ = c.signal(unix.SIGKILL) // usually the group is empty
			exited, gone = nil, time.After(strayWait)
		case <-gone:
			return w, finished, cmp.Or(w.err, errClosed)
		case <-ctx.Done():
			return w, finished, fmt.Errorf("answered %d of %d events in time: %w", r.next, len(r.events), ctx.Err())
		}
	}
	return w, finished, nil
}

// exits reports whether a program that has closed a pipe is about to exit, too. Its status
// is then the better error.
func (c *conversation) exits() bool {
	select {
	case <-c.exited:
		return true
	case <-time.After(strayWait):
		return false
	}
}

// stop terminates the program by the end of its input and by SIGTERM.
func (s *Stream) stop() error {
	c := s.program
	s.program = nil
	c.in.Close()
	close(c.over)
	return c.end(time.Duration(s.config.Grace))
}

// Close implements sink.Sink.
func (s *Stream) Close() error {
	closeOwner(s.secrets)
	if s.program == nil {
		return nil
	}
	return s.stop()
}
