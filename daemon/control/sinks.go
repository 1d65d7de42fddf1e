// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// Sinks are the operations on the delivery of single sinks. The error for an unknown sink wraps
// ErrUnknown.
type Sinks interface {
	// Pause stops delivery until Resume, also across restarts. The running attempt continues.
	Pause(sink string) (*api.Pause, error)
	Resume(sink string) (*api.Pause, error)
	// Retry starts the next attempt at once.
	Retry(sink string) error
	// Test passes a marked event to the destination of a sink. It waits for a limited time for the
	// result.
	Test(ctx context.Context, sink string) (*api.SinkTest, error)
	// Skip drops events that the sink has not finished. It waits for a limited time until they
	// are dropped.
	Skip(ctx context.Context, sink string, s *api.Skip) (*api.Skipped, error)
}

const maxSkipBody = 1 << 10 // bytes

type sinks struct {
	Sinks
	log *slog.Logger
}

func (s sinks) pause(w http.ResponseWriter, r *http.Request) {
	p, err := s.Pause(r.PathValue("sink"))
	if err != nil {
		refuse(w, err)
		return
	}
	s.log.Warn("an operator paused a sink", append(caller(r), "sink", p.Sink)...)
	answerOne(w, p)
}

func (s sinks) resume(w http.ResponseWriter, r *http.Request) {
	p, err := s.Resume(r.PathValue("sink"))
	if err != nil {
		refuse(w, err)
		return
	}
	if p.WasPausedSince != nil {
		s.log.Info("an operator resumed a sink", append(caller(r), "sink", p.Sink)...)
	}
	answerOne(w, p)
}

func (s sinks) retry(w http.ResponseWriter, r *http.Request) {
	sink := r.PathValue("sink")
	if err := s.Retry(sink); err != nil {
		refuse(w, err)
		return
	}
	s.log.Info("an operator requested an attempt", append(caller(r), "sink", sink)...)
	answerOne(w, api.Retry{Sink: sink})
}

func (s sinks) test(w http.ResponseWriter, r *http.Request) {
	t, err := s.Test(r.Context(), r.PathValue("sink"))
	if err != nil {
		refuse(w, err)
		return
	}
	about := append(caller(r), "sink", t.Sink, "id", t.ID, "outcome", t.Outcome)
	if t.Error != "" {
		about = append(about, "error", t.Error)
	}
	s.log.Info("an operator tested a sink", about...)
	answerOne(w, t)
}

func (s sinks) skip(w http.ResponseWriter, r *http.Request) {
	var what api.Skip
	if err := decode(w, r, maxSkipBody, &what); err != nil {
		refuse(w, err)
		return
	}
	selected := 0
	for _, is := range []bool{what.All, what.To != "", what.Until != nil} {
		if is {
			selected++
		}
	}
	if selected != 1 {
		refuse(w, badRequest(`body: specify exactly one of "all": true, "to" and "until"`))
		return
	}
	done, err := s.Skip(r.Context(), r.PathValue("sink"), &what)
	if err != nil {
		refuse(w, err)
		return
	}
	if !what.DryRun {
		s.log.Warn("an operator skipped events of a sink",
			append(caller(r), "sink", done.Sink, "events", done.Skipped, "done", done.Done)...)
	}
	answerOne(w, done)
}
