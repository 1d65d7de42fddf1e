// SPDX-License-Identifier: Apache-2.0

// Package exec is the sink that hands events to programs of the operator. An
// Events runs one for each event, whose exit status decides; a Stream keeps one
// running that confirms each line it is given.
//
// A program has no shell around it, its standard output and environment are its
// own, it gets no descriptor and no ambient capability of the daemon, and it is a process
// group: when its time is over all of the group ends, by SIGTERM and after the
// grace by SIGKILL. What it leaves running in the group when it ends by itself is
// killed as well.
package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/fields"
)

// The one exit status beside 0 with a meaning of its own, EX_TEMPFAIL of
// sysexits.h.
const tryAgain = 75

var (
	_ sink.Sink = (*Events)(nil)

	errNoTime = errors.New("the attempt's time is over before every event had its program; raise attempt_timeout, or lower batch_events")
	errNoExit = errors.New("has not exited in time")
)

// Events is a sink that runs a program for each event.
type Events struct {
	opts     Options
	launcher launcher
	early    early
	namer    fields.Namer
	secrets  *redact.Owner // nil without a mask
}

// NewEvents returns a sink; the program need not be there yet.
func NewEvents(opts Options) *Events {
	return &Events{opts: opts, launcher: newLauncher(opts), early: make(early), secrets: maskVariables(opts.Mask, opts.Environment)}
}

// Deliver implements sink.Sink. An event is taken when its program has exited with
// status 0. After a failure no more are begun, and those that run are waited for:
// the ones that succeed behind the failure are remembered, and not run again.
func (s *Events) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	verdicts := s.early.verdicts(events, errNoTime)
	slots := make(chan struct{}, max(s.opts.Concurrency, 1))
	var (
		running sync.WaitGroup
		failed  atomic.Bool
		begun   bool
	)
	for i := range events {
		if verdicts[i] == nil {
			continue
		}
		slots <- struct{}{}
		if failed.Load() || begun && !s.enoughTime(ctx) {
			break
		}
		begun = true
		job, err := s.prepare(&events[i])
		if err != nil {
			verdicts[i] = err
			break
		}
		running.Go(func() {
			verdicts[i] = s.run(ctx, job)
			failed.CompareAndSwap(false, verdicts[i] != nil)
			<-slots
		})
	}
	running.Wait()
	accepted, err := s.early.settle(events, verdicts)
	if errors.Is(err, errNoTime) && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return accepted, err
}

// enoughTime says whether a program that is begun now can use all of its time: one
// that is ended half-way has perhaps done what it will do again.
func (s *Events) enoughTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) >= s.opts.Timeout)
}

// A job is an event as its program gets it.
type job struct {
	body []byte
	env  []string
}

func (s *Events) prepare(e *event.Event) (job, error) {
	body, err := s.opts.Encoder.Append(nil, e)
	if err != nil {
		return job{}, sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(fmt.Errorf("encode event %s: %w", e.ID(), err)))
	}
	return job{body, eventVariables(&s.namer, e)}, nil
}

// run returns the program's verdict on one event.
func (s *Events) run(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	p, err := s.launcher.launch(j)
	if err != nil {
		return err
	}
	if !p.wait(ctx) {
		// Whatever its exit status then: what it was waiting for may have been ended
		// first.
		err := p.end(s.opts.Grace)
		return errors.Join(p.describe(fmt.Errorf("%w: %w", errNoExit, ctx.Err())), err)
	}
	p.reap()
	switch code := p.cmd.ProcessState.ExitCode(); code {
	case 0:
		return nil
	case -1, tryAgain: // -1: a signal
		return p.describe(errors.New(p.cmd.ProcessState.String()))
	default:
		cause := sink.Refusal{Kind: sink.RefusedExitStatus, Status: code}
		return sink.Permanent(cause.Mark(p.describe(errors.New(p.cmd.ProcessState.String()))))
	}
}

// Close implements sink.Sink. No program outlives Deliver.
func (s *Events) Close() error {
	closeOwner(s.secrets)
	return nil
}
