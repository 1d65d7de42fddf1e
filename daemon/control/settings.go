// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// Settings are the configuration and the log level.
type Settings interface {
	// Config writes the configuration in use as YAML, without secrets.
	Config(w io.Writer) error
	// Files writes the configuration that the files contain now. A fault in them is an
	// *api.Error.
	Files(w io.Writer) error
	LogLevel() api.LogLevel
	// SetLogLevel changes the level until the next reload. An unknown level is an *api.Error.
	SetLogLevel(level string) error
}

type settings struct {
	Settings
	log *slog.Logger
}

// yaml returns a handler that answers with the complete output of write, or with its error.
func yaml(write func(io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = text.WriteTo(w) // an error means that the client has gone
	}
}

const maxLevelBody = 1 << 10 // bytes

func (s settings) setLogLevel(w http.ResponseWriter, r *http.Request) {
	var to api.LogLevel
	if err := decode(w, r, maxLevelBody, &to); err != nil {
		refuse(w, err)
		return
	}
	if to.Level == "" || to.Configured != "" {
		refuse(w, badRequest(`body: specify only the level, such as {"level": "debug"}`))
		return
	}
	before := s.LogLevel().Level
	if err := s.SetLogLevel(to.Level); err != nil {
		refuse(w, err)
		return
	}
	s.log.Warn("an operator changed the log level, until the next reload or restart",
		append(caller(r), "before", before, "level", to.Level)...)
	answerOne(w, s.LogLevel())
}

// bodyTime is the maximum time for receiving the body of a request.
const bodyTime = 10 * time.Second

// decode decodes the body of a request, one JSON value of at most limit bytes. The error is an
// *api.Error.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	// The server sets no ReadTimeout, because it would also abort long answers.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not supported in tests
	if r.ContentLength > limit {
		return bodyError(&http.MaxBytesError{Limit: limit})
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return bodyError(err)
	}
	_, err := dec.Token()
	switch long := new(http.MaxBytesError); {
	case errors.Is(err, io.EOF):
		return nil
	case !errors.As(err, &long):
		err = errors.New("data follow the JSON object")
	}
	return bodyError(err)
}

func bodyError(err error) error {
	var (
		long  *http.MaxBytesError
		typed *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &long):
		return &api.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("body: longer than %d bytes", long.Limit)}
	case errors.As(err, &typed):
		return badRequest("body: %s must not be a %s", cmp.Or(typed.Field, "the value"), typed.Value)
	case errors.Is(err, io.EOF):
		return badRequest("body: missing; send a JSON object")
	}
	return badRequest("body: %.200s", strings.TrimPrefix(err.Error(), "json: "))
}
