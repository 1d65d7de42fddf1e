// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/inspect"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/pipeline"
)

// skipTime is the maximum time for which a request waits until the events are skipped. A running
// attempt can last longer.
const skipTime = 20 * time.Second

// sinkActions implements control.Sinks.
type sinkActions struct {
	pipelines *pipeline.Set
	journal   *journal.Journal
	inspector *inspect.Inspector
}

var _ control.Sinks = sinkActions{}

func (d *Daemon) sinkActions() sinkActions { return sinkActions{d.pipelines, d.journal, d.inspector} }

// pipeline returns the pipeline of a sink that is open.
func (a sinkActions) pipeline(sink string) (*pipeline.Pipeline, error) {
	if p := a.pipelines.Of(sink); p != nil {
		return p, nil
	}
	if err := a.pipelines.Fault(sink); err != nil {
		return nil, conflict("the sink %s is not open; the daemon tries again: %v", sink, err)
	}
	return nil, control.UnknownSink(sink)
}

// conflict returns the error for a request that the present state of a sink does not allow.
func conflict(format string, args ...any) error {
	return &api.Error{Status: http.StatusConflict, Message: fmt.Sprintf(format, args...)}
}

// Pause implements control.Sinks.
func (a sinkActions) Pause(sink string) (*api.Pause, error) {
	if a.pipelines.Of(sink) == nil && a.pipelines.Fault(sink) == nil {
		return nil, control.UnknownSink(sink)
	}
	since, err := a.pipelines.Pause(sink)
	return &api.Pause{Sink: sink, PausedSince: timeOrNil(since)}, err
}

// Resume implements control.Sinks.
func (a sinkActions) Resume(sink string) (*api.Pause, error) {
	if a.pipelines.Of(sink) == nil && a.pipelines.Fault(sink) == nil {
		return nil, control.UnknownSink(sink)
	}
	was, err := a.pipelines.Resume(sink)
	return &api.Pause{Sink: sink, WasPausedSince: timeOrNil(was)}, err
}

// Retry implements control.Sinks.
func (a sinkActions) Retry(sink string) error {
	p, err := a.pipeline(sink)
	if err != nil {
		return err
	}
	if !p.Paused().IsZero() {
		return conflict("the sink %s is paused; continue with: genltestctl sink resume %[1]s", sink)
	}
	p.Retry()
	return nil
}

// Skip implements control.Sinks.
func (a sinkActions) Skip(ctx context.Context, sink string, s *api.Skip) (*api.Skipped, error) {
	p, err := a.pipeline(sink)
	if err != nil {
		return nil, err
	}
	at, err := a.end(s)
	if err != nil {
		return nil, err
	}
	answer := &api.Skipped{Sink: sink, Before: p.Before(at)}
	if s.DryRun {
		return answer, nil
	}
	ctx, cancel := context.WithTimeout(ctx, skipTime)
	defer cancel()
	answer.Skipped, answer.Done = p.SkipTo(ctx, at)
	return answer, nil
}

// end returns the position of the first event that is not skipped.
func (a sinkActions) end(s *api.Skip) (journal.Position, error) {
	switch {
	case s.To != "":
		return a.inspector.After(s.To)
	case s.Until != nil:
		return a.inspector.Received(*s.Until)
	}
	return a.journal.End(), nil
}
