// SPDX-License-Identifier: Apache-2.0

package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
)

// DeadLetters are the operations on dead letters that the control socket offers. The error
// for an unknown sink or letter names it and wraps ErrUnknown.
type DeadLetters interface {
	Boxes() []api.Box
	// Letters calls visit for each letter of a sink in the order of their events, and stops
	// at its first error.
	Letters(sink string, visit func(*api.Letter) error) error
	Letter(sink, id string) (*api.Letter, error)
	Replay(sink string, s api.Selection) (int, error)
	Drop(sink string, s api.Selection) (int, error)
}

// ErrUnknown is wrapped by errors for a sink or letter that does not exist.
var ErrUnknown = errors.New("unknown")

// maxSelection is the maximum size of a request body, in bytes.
const maxSelection = 64 << 20

type deadLetters struct {
	DeadLetters
	log *slog.Logger
}

func (d deadLetters) boxes(w http.ResponseWriter, _ *http.Request) {
	answer := newLines(w)
	for _, box := range d.Boxes() {
		if answer.add(box) != nil {
			return
		}
	}
}

func (d deadLetters) letters(w http.ResponseWriter, r *http.Request) {
	answer := newLines(w)
	err := d.Letters(r.PathValue("sink"), func(l *api.Letter) error { return answer.add(l) })
	switch {
	case err != nil && answer.begun:
		panic(http.ErrAbortHandler) // the client must not treat the list as complete
	case err != nil:
		refuse(w, err)
	}
}

func (d deadLetters) letter(w http.ResponseWriter, r *http.Request) {
	l, err := d.Letter(r.PathValue("sink"), r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	answerOne(w, l)
}

// change returns a handler that changes letters and logs the change.
func (d deadLetters) change(what string, do func(string, api.Selection) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var s api.Selection
		err := decode(w, r, maxSelection, &s)
		if err == nil && s.All == (len(s.IDs) > 0) {
			err = badRequest("body: specify all, or at least one id")
		}
		if err != nil {
			refuse(w, err)
			return
		}
		sink := r.PathValue("sink")
		n, err := do(sink, s)
		if err != nil {
			refuse(w, err)
			return
		}
		d.log.Info("an operator changed dead letters", append(caller(r), "action", what, "sink", sink, "events", n)...)
		answerOne(w, api.Count{Letters: n})
	}
}

// lines writes one JSON object per line.
type lines struct {
	w     http.ResponseWriter
	enc   *json.Encoder
	begun bool
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	return &lines{w: w, enc: json.NewEncoder(w)}
}

func (l *lines) add(v any) error {
	l.begun = true
	return l.enc.Encode(v)
}

// answerOne answers with one JSON object.
func answerOne(w http.ResponseWriter, v any) {
	answer := newLines(w)
	w.Header().Set("Content-Type", "application/json")
	_ = answer.add(v) // an error means that the client has gone
}

// refuse answers with an error in one line that is safe to show.
func refuse(w http.ResponseWriter, err error) {
	refused, status := &api.Error{Message: err.Error()}, http.StatusInternalServerError
	var e *api.Error
	switch {
	case errors.As(err, &e):
		refused.Message, refused.Faults, status = e.Message, e.Faults, e.Status
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	}
	refused.Message = string(event.AppendVisible(nil, strings.ReplaceAll(refused.Message, "\n", "; ")))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refused) // an error means that the client has gone
}

// UnknownSink returns the error for a sink that is not configured.
func UnknownSink(sink string) error { return fmt.Errorf("%w sink %q", ErrUnknown, sink) }

// badRequest returns the error for a request that can never succeed.
func badRequest(format string, args ...any) error {
	return &api.Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}
