// SPDX-License-Identifier: Apache-2.0

package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// DeadLetters is what the control socket needs of the daemon's boxes. The errors
// for a sink or a letter that is not there wrap ErrUnknown, and name it.
type DeadLetters interface {
	Boxes() []api.Box
	// Letters calls visit for each of a sink's letters in the order of their events,
	// and ends with its error.
	Letters(sink string, visit func(*api.Letter) error) error
	Letter(sink, id string) (*api.Letter, error)
	Replay(sink string, s api.Selection) (int, error)
	Drop(sink string, s api.Selection) (int, error)
}

// ErrUnknown is wrapped by the errors for what is asked for and is not there.
var ErrUnknown = errors.New("unknown")

// maxSelection bounds the body of a request, which names letters.
const maxSelection = 64 << 20

type deadLetters struct {
	DeadLetters
	log *slog.Logger
}

func (d deadLetters) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/dead-letters", d.boxes)
	mux.HandleFunc("GET /v1/dead-letters/{sink}", d.letters)
	mux.HandleFunc("GET /v1/dead-letters/{sink}/{id}", d.letter)
	mux.HandleFunc("POST /v1/dead-letters/{sink}/replay", d.change("replay", d.Replay))
	mux.HandleFunc("POST /v1/dead-letters/{sink}/drop", d.change("drop", d.Drop))
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
		panic(http.ErrAbortHandler) // the other side must not take it for complete
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
	_ = newLines(w).add(l) // nobody is left to tell
}

// bodyTime is how long the body of a request may take to arrive.
const bodyTime = 10 * time.Second

// change answers a request that does something, and logs that it was done.
func (d deadLetters) change(what string, do func(string, api.Selection) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var s api.Selection
		// Not the server's ReadTimeout, which would end what takes longer than that.
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // a test's has none
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSelection))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil || s.All == (len(s.IDs) > 0) {
			refuse(w, &api.Error{Status: http.StatusBadRequest, Message: `want {"all": true}, or {"ids": [...]} with at least one`})
			return
		}
		sink := r.PathValue("sink")
		n, err := do(sink, s)
		if err != nil {
			refuse(w, err)
			return
		}
		d.log.Info("dead letters: an operator asked to "+what+" some", "sink", sink, "events", n)
		_ = newLines(w).add(api.Count{Letters: n}) // nobody is left to tell
	}
}

// lines writes one JSON object a line.
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

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	var e *api.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, ErrUnknown):
		e = &api.Error{Status: http.StatusNotFound, Message: err.Error()}
	default:
		e = &api.Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e) // nobody is left to tell
}

// UnknownSink is the error for a sink that is not configured.
func UnknownSink(sink string) error { return fmt.Errorf("%w sink %q", ErrUnknown, sink) }
