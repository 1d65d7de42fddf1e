// SPDX-License-Identifier: Apache-2.0

// Package inspect shows events of the journal to operators: it streams them, and explains what
// became of one event in each sink. It reads the journal without a cursor, and uses rules of
// its own, so it changes nothing in delivery.
package inspect

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/record"
)

// An Inspector answers the requests for events. Each field is required. Its methods are safe for
// concurrent use.
type Inspector struct {
	Journal   *journal.Journal
	Decoder   *record.Decoder
	Pipelines *pipeline.Set
	Config    func() *config.Config  // the configuration in use
	Loaded    func() time.Time       // when it was read
	Specs     func() *families.Specs // of the families
	Started   time.Time              // of the daemon
}

func (i *Inspector) compiler() *match.Compiler {
	return pipeline.NewCompiler(i.Config(), i.Specs())
}

// invalid returns the error for a request that can never succeed.
func invalid(err error) error {
	return &api.Error{Status: http.StatusBadRequest, Message: err.Error()}
}

func unknown(format string, args ...any) error {
	return &api.Error{Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

// named adds the name of a parameter to an error that is the fault of the request.
func named(parameter string, err error) error {
	var fault *api.Error
	if !errors.As(err, &fault) {
		return err
	}
	return &api.Error{Status: fault.Status, Message: parameter + ": " + fault.Message}
}

// sink returns the configuration of a sink.
func (i *Inspector) sink(name string) (*config.Sink, error) {
	sinks := i.Config().Sinks
	for s := range sinks {
		if sinks[s].Name == name {
			return &sinks[s], nil
		}
	}
	return nil, unknown("unknown sink %q", name)
}

// parseID returns the number and the journal of an event. A number alone is one of the present
// journal.
func (i *Inspector) parseID(text string) (deadletter.ID, error) {
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		return deadletter.ID{Journal: i.Journal.ID(), Seq: seq}, nil
	}
	if strings.Contains(text, "-0-test-") {
		return deadletter.ID{}, unknown("unknown event %q: a test of a sink is not in the journal", text)
	}
	id, err := deadletter.ParseID(text)
	if err != nil {
		return id, invalid(err)
	}
	return id, nil
}

// find returns the record of an event.
func (i *Inspector) find(id deadletter.ID) (journal.Record, journal.Place, error) {
	if id.Journal != i.Journal.ID() {
		return journal.Record{}, journal.Place{}, unknown("unknown event %q: it is of another journal than the present one, %s",
			id, i.Journal.ID())
	}
	r, at, err := i.Journal.Find(id.Seq)
	if errors.Is(err, journal.ErrNoRecord) {
		err = i.absent(id)
	}
	return r, at, err
}

// absent returns why the journal does not contain an event.
func (i *Inspector) absent(id deadletter.ID) error {
	switch s := i.Journal.Stats(); {
	case id.Seq > s.Last:
		return unknown("unknown event %q: it has not been received; the newest event has the number %d", id, s.Newest)
	case id.Seq < s.First:
		return unknown("unknown event %q: the journal has removed it, after each sink had passed it or because of a limit; "+
			"the oldest event has the number %d or a greater one", id, s.First)
	}
	return unknown("unknown event %q: no event in the journal has this number; numbers are skipped after an unclean stop", id)
}
