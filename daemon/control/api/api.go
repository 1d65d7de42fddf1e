// SPDX-License-Identifier: Apache-2.0

// Package api defines how genltestctl talks to the daemon: HTTP/1.1 with JSON over a Unix
// socket. The mode of the socket's file controls who may connect and read. Requests that change
// something (POST, PUT) and stacks require an operator: root, the user of the daemon, or a
// member of control.operator_group. docs/api.yaml describes everything. The paths:
//
//	GET  /v1/status                       a Status
//	GET  /v1/config                       YAML: the configuration in use, without secrets
//	GET  /v1/config/files                 YAML: the configuration that the files contain
//	GET  /v1/log-level                    a LogLevel
//	PUT  /v1/log-level                    a LogLevel; answers the new one
//	GET  /v1/metrics                      the metrics
//	GET  /debug/pprof/goroutine           the stacks of the daemon
//	GET  /debug/pprof/heap                its memory by function, for go tool pprof
//	GET  /debug/pprof/profile?seconds=30  its CPU time by function
//	GET  /v1/dead-letters                 one Box per line
//	GET  /v1/dead-letters/SINK            one Letter per line, in the order of the events
//	GET  /v1/dead-letters/SINK/ID         a Letter
//	POST /v1/dead-letters/SINK/replay     a Selection; answers a Count
//	POST /v1/dead-letters/SINK/drop       a Selection; answers a Count
//	POST /v1/canary                       answers a Canary with the text of the event to trigger
//	GET  /v1/canary                       the last Canary
//	GET  /v1/events?PARAMETERS            an EventsQuery; events and Missed, one per line
//	GET  /v1/events/ID[?filter=EXPR]      an Explanation
//	POST /v1/sinks/SINK/pause             answers a Pause
//	POST /v1/sinks/SINK/resume            answers a Pause
//	POST /v1/sinks/SINK/retry             answers a Retry
//	POST /v1/sinks/SINK/skip              a Skip; answers Skipped
//	POST /v1/reload                       answers a Reload when it is active
//
// An answer with another status than 200 contains an Error. All texts are safe to show.
package api

import (
	"encoding/json"
	"time"
)

// SocketName is the name of the socket in the daemon's runtime directory.
const SocketName = "control.sock"

// A Box summarizes the dead letters of one sink.
type Box struct {
	Sink     string `json:"sink"`
	Letters  uint64 `json:"letters"`
	ToReplay uint64 `json:"to_replay"`       // letters that are marked for replay
	Bytes    uint64 `json:"bytes"`           // disk space
	Expired  uint64 `json:"expired"`         // letters that a limit removed since the daemon's start
	Damaged  uint64 `json:"damaged"`         // letters that could not be read since the daemon's start
	Fault    string `json:"fault,omitempty"` // why the letters cannot be read; then the numbers above are unknown
}

// A Letter is an event that a sink permanently refused.
type Letter struct {
	ID       string    `json:"id"` // id of the event
	Received time.Time `json:"received"`
	Refused  time.Time `json:"refused"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason"` // for people
	// Kind is one of sink.RefusalKinds. It is empty for a letter that an older version of
	// the daemon stored.
	Kind string `json:"kind,omitempty"`
	// Status is the HTTP status or the exit status of the program, or 0.
	Status int `json:"status,omitempty"`
	// Event has the format of the sinks.
	Event json.RawMessage `json:"event"`
}

// A Selection selects letters of one sink.
type Selection struct {
	All bool     `json:"all,omitempty"`
	IDs []string `json:"ids,omitempty"` // used unless All is set; all letters must exist
}

// A Count is the number of letters that a request changed.
type Count struct {
	Letters int `json:"letters"`
}

// A Reload lists the sinks and the families that a reload changed.
type Reload struct {
	Added     []string `json:"added"` // this and the next two are names of sinks
	Changed   []string `json:"changed"`
	Removed   []string `json:"removed"`
	Unchanged int      `json:"unchanged"` // number of the other sinks
	Families  Families `json:"families"`
	Warnings  []string `json:"warnings"`
}

// Families are the names of the families that a reload changed.
type Families struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"` // their groups or their buffer
	Removed []string `json:"removed"`
}

// MarshalJSON encodes a nil list as [], not as null.
func (r Reload) MarshalJSON() ([]byte, error) {
	type plain Reload // without this method
	f := &r.Families
	for _, list := range []*[]string{&r.Added, &r.Changed, &r.Removed, &f.Added, &f.Changed, &f.Removed, &r.Warnings} {
		if *list == nil {
			*list = []string{}
		}
	}
	return json.Marshal(plain(r))
}

// An Error is the reason for which the daemon refused a request.
type Error struct {
	Message string   `json:"error"`
	Faults  []string `json:"faults,omitempty"` // faults of the configuration, each with its position
	Status  int      `json:"-"`                // HTTP status; 422 for an invalid configuration
}

func (e *Error) Error() string { return e.Message }
