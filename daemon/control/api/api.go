// SPDX-License-Identifier: Apache-2.0

// Package api is how genltestctl talks to the daemon: HTTP/1.1 with JSON over a
// unix socket, whose file's mode says who may. The paths:
//
//	GET  /v1/dead-letters                 a Box a line
//	GET  /v1/dead-letters/SINK            a Letter a line, in the order of the events
//	GET  /v1/dead-letters/SINK/ID         a Letter
//	POST /v1/dead-letters/SINK/replay     a Selection; answers a Count
//	POST /v1/dead-letters/SINK/drop       likewise
//	POST /v1/reload                       answers a Reload, when it is in use
//
// An answer that is not 200 has an Error. Texts from outside are safe to show.
package api

import (
	"encoding/json"
	"time"
)

// SocketName is the socket's name in the daemon's runtime directory.
const SocketName = "control.sock"

// A Box is what the daemon keeps of the events that one sink has refused for good.
type Box struct {
	Sink     string `json:"sink"`
	Letters  uint64 `json:"letters"`
	ToReplay uint64 `json:"to_replay"`       // of them
	Bytes    uint64 `json:"bytes"`           // on disk
	Expired  uint64 `json:"expired"`         // that a limit has taken since the daemon's start
	Damaged  uint64 `json:"damaged"`         // that could not be read back since then
	Fault    string `json:"fault,omitempty"` // why the letters cannot be read now: the numbers above are not known
}

// A Letter is one of those events.
type Letter struct {
	ID       string    `json:"id"` // the event's
	Received time.Time `json:"received"`
	Refused  time.Time `json:"refused"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason"` // for people
	// Kind is the kind of the reason, one of sink.RefusalKinds, and empty for an event
	// that an older version of the daemon has put aside.
	Kind string `json:"kind,omitempty"`
	// Status is that of the HTTP response, or of the program's exit, 0 when there is none.
	Status int `json:"status,omitempty"`
	// Event is as the sinks write it.
	Event json.RawMessage `json:"event"`
}

// A Selection names letters of one sink.
type Selection struct {
	All bool     `json:"all,omitempty"`
	IDs []string `json:"ids,omitempty"` // when not All; each must be there
}

// A Count says how many letters a request was about.
type Count struct {
	Letters int `json:"letters"`
}

// A Reload is what reading the configuration anew has changed: the names of sinks.
type Reload struct {
	Added     []string `json:"added"`
	Changed   []string `json:"changed"`
	Removed   []string `json:"removed"`
	Unchanged int      `json:"unchanged"`
	Warnings  []string `json:"warnings"`
}

// MarshalJSON encodes a list without elements as [], never as null.
func (r Reload) MarshalJSON() ([]byte, error) {
	type plain Reload // without this method
	for _, list := range []*[]string{&r.Added, &r.Changed, &r.Removed, &r.Warnings} {
		if *list == nil {
			*list = []string{}
		}
	}
	return json.Marshal(plain(r))
}

// An Error is why a request was refused.
type Error struct {
	Message string   `json:"error"`
	Faults  []string `json:"faults,omitempty"` // of the configuration, each with its place
	Status  int      `json:"-"`                // of HTTP; 422 when the configuration is at fault
}

func (e *Error) Error() string { return e.Message }
