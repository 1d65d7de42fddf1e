// SPDX-License-Identifier: Apache-2.0

// Package exec implements the sink that passes events to programs of the operator. An
// Events runs one for each event, whose exit status decides. A Stream keeps one program
// running, which confirms each line that it receives.
//
// A program is started without a shell. It does not share standard output, environment,
// descriptors or ambient capabilities with the daemon. It is a process group of its own:
// on a timeout the whole group is terminated, by SIGTERM and, after the grace, by SIGKILL.
// Processes that remain in the group when the program exits are killed as well.
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

// tryAgain is EX_TEMPFAIL of sysexits.h: the program requests a retry. Any other status except 0 is a
// permanent error.
const tryAgain = 75

var (
	_ sink.Sink = (*Events)(nil)

	errNoTime = errors.New("the attempt's time was over before the program had run for every event; " +
		"raise attempt_timeout, or lower batch_events")
	errNoExit = errors.New("has not exited in time")
)

// Events is a sink that runs a program for each event.
type Events struct {
	config   *Config
	encoder  event.Encoder
	launcher launcher
	early    early
	namer    fields.Namer
	secrets  *redact.Owner // nil without a mask
}

// NewEvents returns a sink. The program need not exist yet.
func NewEvents(c *Config, env sink.Env) *Events {
	return &Events{
		config: c, encoder: env.Encoder, launcher: newLauncher(c, env), early: make(early), secrets: maskVariables(env.Mask, c.Environment),
	}
}

// Deliver implements sink.Sink. An event is accepted when its program has exited with
// status 0. After a failure Deliver starts no other program and waits for the running
// ones. It remembers those that succeed after the failure, and does not run them again.
func (s *Events) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	verdicts := s.early.verdicts(events, errNoTime)
	slots := make(chan struct{}, s.config.Concurrency)
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

// enoughTime reports whether a program that is started now has its whole timeout: a
// program that is interrupted may repeat actions at the next run.
func (s *Events) enoughTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) >= time.Duration(s.config.Timeout))
}

// A job is an event in the form that its program receives.
type job struct {
	body []byte
	env  []string
}

func (s *Events) prepare(e *event.Event) (job, error) {
	body, err := s.encoder.Append(nil, e)
	if err != nil {
		return job{}, sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(fmt.Errorf("encode event %s: %w", e.ID(), err)))
	}
	return job{body, eventVariables(&s.namer, e)}, nil
}

// run returns the program's verdict on one event.
func (s *Events) run(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.config.Timeout))
	defer cancel()
	p, err := s.launcher.launch(j)
	if err != nil {
		return err
	}
	if !p.wait(ctx) {
		// Its exit status then does not matter: a process that it was waiting for may have
		// been terminated first.
		err := p.end(time.Duration(s.config.Grace))
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

// Close implements sink.Sink. Programs end before Deliver returns.
func (s *Events) Close() error {
	closeOwner(s.secrets)
	return nil
}
