// SPDX-License-Identifier: Apache-2.0

package api

import "time"

// A Status is the state of the daemon at one time. Counters count from the boot of the machine
// (families) or from the start of the daemon (sinks), as the metrics of the same names do.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Time     time.Time `json:"time"`    // of this status
	Started  time.Time `json:"started"` // of the daemon
	Healthy  bool      `json:"healthy"` // no part has a fault
	Parts    []Part    `json:"parts"`   // of the process, families and sinks included
	Notes    []Note    `json:"notes"`   // what is not a fault
	Config   Config    `json:"config"`
	LogLevel LogLevel  `json:"log_level"`
	Families []Family  `json:"families"`
	Journal  Journal   `json:"journal"`
	Sinks    []Sink    `json:"sinks"`
}

// A Health is what /healthz and /readyz report as JSON.
type Health struct {
	OK     bool     `json:"ok"`
	Faults []string `json:"faults"` // the lines of the text form; empty if OK
	Parts  []Part   `json:"parts"`
}

// A LogLevel is the level from which on the daemon logs: debug, info, warn or error. PUT sets
// Level, until the next reload or restart.
type LogLevel struct {
	Level      string `json:"level"`
	Configured string `json:"configured,omitempty"` // not in a request
}

// A Part is a part of the daemon that can have a fault.
type Part struct {
	// Name is receiver, journal, delivery, listener, state or config. Where there are several, a slash
	// and the name of one follow: receiver/genltest, delivery/archive, listener/http.
	Name string `json:"name"`
	// Alive is false if the part makes no progress that only a restart of the process can bring back.
	Alive bool `json:"alive"`
	// Faults are why it does not do its work, in words; empty for a part that does.
	Faults []Fault `json:"faults"`
}

// A Fault is a reason why a part does not do its work.
type Fault struct {
	Reason string     `json:"reason"` // the label reason of the metric; may be empty
	Text   string     `json:"text"`   // one line, safe to show
	Since  *time.Time `json:"since,omitempty"`
}

// A Note is a state that operators should know although the daemon is healthy: a slow sink, or a step
// of the clock in the last hour.
type Note struct {
	Part  string     `json:"part"` // the name of a part, or clock
	Text  string     `json:"text"` // one line, safe to show
	Since *time.Time `json:"since,omitempty"`
}

// A Config is the configuration in use.
type Config struct {
	Hash   string    `json:"hash"`
	Loaded time.Time `json:"loaded"`
	Fault  string    `json:"fault,omitempty"` // why the last reload was refused
}

// A Family is one family whose events the daemon receives.
type Family struct {
	Name         string            `json:"name"`
	ID           int               `json:"id"`     // 0 while it is not registered
	Groups       []string          `json:"groups"` // configured; empty for all groups
	Subscribed   bool              `json:"subscribed"`
	BufferBytes  int               `json:"buffer_bytes"` // granted by the kernel
	Received     uint64            `json:"received"`
	Lost         map[string]uint64 `json:"lost"` // by reason
	Refused      uint64            `json:"refused"`
	BlindSeconds float64           `json:"blind_seconds"`
	Echo         string            `json:"echo,omitempty"` // ok, or why the last health check failed; empty for other families than genltest
}

// A Journal is the state of the journal.
type Journal struct {
	Path      string     `json:"path"` // of the directory
	Accepting bool       `json:"accepting"`
	Bytes     int64      `json:"bytes"`
	MaxBytes  int64      `json:"max_bytes"`
	First     uint64     `json:"first"`            // number of the oldest event; 0 if it is empty
	Last      uint64     `json:"last"`             // number of the newest event
	Synced    uint64     `json:"synced"`           // number up to which all events survive a power cut
	Oldest    *time.Time `json:"oldest,omitempty"` // when the oldest event was received
	Fsync     string     `json:"fsync"`
}

// The states of a sink.
const (
	SinkIdle       = "idle"       // no event waits
	SinkDelivering = "delivering" // events move
	SinkRetrying   = "retrying"   // the last attempt failed; another one follows
	SinkFailing    = "failing"    // it has another fault
	SinkPaused     = "paused"     // by an operator
)

// A Sink is the state of one sink.
type Sink struct {
	Name         string            `json:"name"`
	Kind         string            `json:"kind"`
	State        string            `json:"state"`
	Faults       []Fault           `json:"faults"`
	Events       uint64            `json:"events"`
	Delivered    uint64            `json:"delivered"`
	Filtered     uint64            `json:"filtered"`
	Suppressed   map[string]uint64 `json:"suppressed"` // by rule
	Dropped      map[string]uint64 `json:"dropped"`    // by reason
	DeadLettered uint64            `json:"dead_lettered"`
	Waiting      uint64            `json:"waiting"`
	InFlight     uint64            `json:"in_flight"`
	Failures     uint64            `json:"failures"`       // attempts
	LagBytes     int64             `json:"lag_bytes"`      // of the journal after the cursor
	BehindS      float64           `json:"behind_seconds"` // age of the oldest event without an outcome; 0 without one
	LastError    string            `json:"last_error,omitempty"`
	LastErrorAt  *time.Time        `json:"last_error_at,omitempty"`
	NextAttempt  *time.Time        `json:"next_attempt,omitempty"` // while it waits before another attempt
	LastDelivery *time.Time        `json:"last_delivery,omitempty"`
	Latency      Latency           `json:"latency"`
	DeadLetters  uint64            `json:"dead_letters"` // stored
}

// A Latency is a distribution of the time from receipt to acceptance, cumulative from the start of
// the daemon. A client that reads it twice computes the distribution in between.
type Latency struct {
	Count   uint64          `json:"count"`
	Sum     float64         `json:"sum_seconds"`
	Buckets []LatencyBucket `json:"buckets"`
}

// A LatencyBucket is the number of events that were delivered within a limit.
type LatencyBucket struct {
	Seconds float64 `json:"le_seconds"`
	Count   uint64  `json:"count"`
}
