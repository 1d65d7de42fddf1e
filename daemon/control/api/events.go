// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Unlimited is the Limit of an EventsQuery that selects all events.
const Unlimited = -1

// MaxEvents is the maximum Limit of an EventsQuery.
const MaxEvents = 100_000

// An EventsQuery selects events of the journal.
type EventsQuery struct {
	Sink   string    // only events that the rules of this sink let pass; see GET /v1/events
	Filter string    // only events for which the expression is true
	From   string    // id or number of the first event; empty without one
	Since  time.Time // only events that were received at this time or later; zero without one
	Limit  int       // at most the last of the selected events that are in the journal, or Unlimited
	Follow bool      // then wait for new events
}

// Values returns the query as parameters of a URL.
func (q *EventsQuery) Values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"sink": q.Sink, "filter": q.Filter, "from": q.From} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit != Unlimited {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	return v
}

// ParseEventsQuery is the inverse of Values. It ignores other parameters, and repetitions.
func ParseEventsQuery(v url.Values) (q EventsQuery, err error) {
	q.Limit = Unlimited
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if err := q.set(name, v.Get(name)); err != nil {
			return q, err
		}
	}
	if q.Sink != "" && q.Filter != "" {
		return q, fmt.Errorf("sink and filter exclude each other; write one of them")
	}
	return q, nil
}

func (q *EventsQuery) set(name, value string) (err error) {
	switch name {
	case "sink":
		q.Sink = value
	case "filter":
		q.Filter = value
	case "from":
		q.From = value
	case "since":
		if q.Since, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return fmt.Errorf("since: %q is not a time; write a time such as 2026-01-02T03:04:05Z", value)
		}
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 0 || q.Limit > MaxEvents {
			return fmt.Errorf("limit: %q is not a number from 0 to %d", value, MaxEvents)
		}
	case "follow":
		if q.Follow = value == "true"; !q.Follow && value != "false" {
			return fmt.Errorf("follow: %q is neither true nor false", value)
		}
	}
	return nil
}

// The kinds of lines of GET /v1/events that are not events.
const (
	KindMissed = "missed" // a Missed
	KindError  = "error"  // a StreamError, the last line
)

// A Missed reports events that the journal removed before they were sent: the client reads too
// slowly, or the events are damaged. The number includes events that the query does not select.
type Missed struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// A StreamError is why a stream of events ends early.
type StreamError struct {
	Kind  string `json:"kind"`
	Error string `json:"error"`
}

// The outcomes of an event for a sink.
const (
	OutcomeWaiting      = "waiting"       // the sink has not read it yet
	OutcomeInFlight     = "in_flight"     // the sink is delivering it, or will try again
	OutcomeDelivered    = "delivered"     // the sink has accepted it
	OutcomeDeadLettered = "dead_lettered" // the sink has refused it
	OutcomeFiltered     = "filtered"      // the filter has rejected it
	OutcomeSuppressed   = "suppressed"    // sample, dedup or rate_limit has rejected it
	OutcomeDropped      = "dropped"       // a limit of the sink has dropped it
	OutcomeNotOpen      = "not_open"      // the sink cannot be opened
	OutcomeCanary       = "canary"        // it is not for sinks
)

// An Explanation is what the daemon knows about one event.
type Explanation struct {
	ID         string          `json:"id"`
	Seq        uint64          `json:"seq"`
	Received   time.Time       `json:"received"`
	KernelTime *time.Time      `json:"kernel_time,omitempty"`
	Family     string          `json:"family"`
	Group      string          `json:"group"`
	Bytes      int             `json:"bytes"`            // of the message
	File       string          `json:"file,omitempty"`   // segment of the journal; empty if only dead letters contain the event
	Offset     int64           `json:"offset,omitempty"` // in the file
	Synced     bool            `json:"synced"`           // the event survives a power cut
	Event      json.RawMessage `json:"event"`
	Sinks      []SinkOutcome   `json:"sinks"`            // empty for the trace of a filter
	Filter     *FilterPart     `json:"filter,omitempty"` // the trace
}

// A SinkOutcome is what became of an event in one sink.
type SinkOutcome struct {
	Sink    string `json:"sink"`
	Kind    string `json:"kind"`
	Outcome string `json:"outcome"`
	Text    string `json:"text"` // for people
	// Unless are the other outcomes that the daemon cannot exclude, for people.
	Unless   []string   `json:"unless"`
	Ahead    uint64     `json:"ahead"` // events before it, for waiting
	Rules    []RuleStep `json:"rules"` // of the present configuration
	Attempts []Attempt  `json:"attempts"`
	// DeadLetter lacks the event. It is nil unless the event is a dead letter now.
	DeadLetter *Letter `json:"dead_letter,omitempty"`
}

// A RuleStep is what one rule does with an event.
type RuleStep struct {
	Rule     string            `json:"rule"`             // extract, filter, sample, dedup or rate_limit
	Result   string            `json:"result"`           // applied, passes, rejects, fails or depends
	Text     string            `json:"text"`             // for people
	Captures map[string]string `json:"captures"`         // of extract
	Filter   *FilterPart       `json:"filter,omitempty"` // of filter
}

// A FilterPart is a part of an expression and its value for an event.
type FilterPart struct {
	Text   string          `json:"text"`
	Value  json.RawMessage `json:"value,omitempty"`
	Error  string          `json:"error,omitempty"` // why it cannot be evaluated
	Unused bool            `json:"unused"`          // it does not affect the result
	Parts  []FilterPart    `json:"parts"`
}

// An Attempt is an attempt that the sink did not accept completely, the first complete one
// after it, or events that a limit dropped.
type Attempt struct {
	Time     time.Time `json:"time"`
	First    uint64    `json:"first"` // numbers of the first and the last event
	Last     uint64    `json:"last"`
	Events   int       `json:"events"`
	Accepted int       `json:"accepted"`
	Error    string    `json:"error,omitempty"`
	Dropped  string    `json:"dropped,omitempty"` // the limit
	Replay   bool      `json:"replay"`            // of dead letters
}
