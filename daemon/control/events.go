// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// Events are the requests for events. Errors are *api.Error, except for those of the disk.
type Events interface {
	// Tail writes the events of a query, one JSON object a line, and api.Missed between them. It
	// returns when all are written, or with Follow when the context or the daemon ends. It calls
	// Flush before it waits.
	Tail(ctx context.Context, q api.EventsQuery, to EventWriter) error
	// Explain returns what became of one event, or the trace of a filter for it.
	Explain(id, filter string) (*api.Explanation, error)
}

// An EventWriter receives complete lines. An error means that the client has gone.
type EventWriter interface {
	Write(lines []byte) (int, error)
	Flush() error
}

// maxTails is the maximum number of concurrent streams. It is less than the number of
// connections, so that other requests are always possible.
const maxTails = 4

type events struct {
	Events
	tails chan struct{} // one element for each stream
}

func newEvents(e Events) events { return events{e, make(chan struct{}, maxTails)} }

func (e events) tail(w http.ResponseWriter, r *http.Request) {
	q, err := api.ParseEventsQuery(r.URL.Query())
	if err != nil {
		refuse(w, &api.Error{Status: http.StatusBadRequest, Message: err.Error()})
		return
	}
	select {
	case e.tails <- struct{}{}:
		defer func() { <-e.tails }()
	default:
		const text = "%d clients read events already, which is the maximum; end one of them and try again"
		refuse(w, &api.Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf(text, maxTails)})
		return
	}
	to := &stream{lines: newLines(w), control: http.NewResponseController(w)}
	switch err := e.Tail(r.Context(), q, to); {
	case err == nil || r.Context().Err() != nil:
	case !to.begun:
		refuse(w, err)
	case !errors.Is(err, errClientGone):
		_ = to.add(api.StreamError{Kind: api.KindError, Error: err.Error()}) // an error means that the client has gone
	}
}

// errClientGone is wrapped by the errors of a stream.
var errClientGone = errors.New("the client has gone")

// A stream is the EventWriter of an answer.
type stream struct {
	*lines
	control *http.ResponseController
}

// Write implements EventWriter.
func (s *stream) Write(lines []byte) (int, error) {
	s.begun = true
	n, err := s.w.Write(lines)
	if err != nil {
		err = fmt.Errorf("%w: %w", errClientGone, err)
	}
	return n, err
}

// Flush implements EventWriter.
func (s *stream) Flush() error {
	s.begun = true
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

func (e events) explain(w http.ResponseWriter, r *http.Request) {
	explained, err := e.Explain(r.PathValue("id"), r.URL.Query().Get("filter"))
	if err != nil {
		refuse(w, err)
		return
	}
	answerOne(w, explained)
}
