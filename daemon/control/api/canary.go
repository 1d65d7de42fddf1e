// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"
)

// A Canary is the progress of an event that measures the latency of each sink.
type Canary struct {
	Requested time.Time `json:"requested"`
	// Text is the text of the event. It is present only in the answer to the request.
	Text     string       `json:"text,omitempty"`
	Received bool         `json:"received"` // the event is in the journal, or will be
	Sinks    []CanarySink `json:"sinks"`    // that existed at the request
}

// A CanarySink is the progress of a canary in one sink.
type CanarySink struct {
	Sink    string `json:"sink"`
	Reached bool   `json:"reached"` // all events before the canary have an outcome
	// LatencySeconds is the time from the trigger until the canary was reached. If it was not, it is the time
	// since the request, or since an earlier canary that the sink has not reached either.
	LatencySeconds float64 `json:"latency_seconds"`
}

// RequestCanary returns the text of an event that the caller triggers next.
func (c *Client) RequestCanary(ctx context.Context) (*Canary, error) {
	return send[Canary](ctx, c, http.MethodPost, "/v1/canary", nil)
}

// LastCanary returns the progress of the last canary.
func (c *Client) LastCanary(ctx context.Context) (last Canary, err error) {
	err = lines(ctx, c, "/v1/canary", func(got Canary) error { last = got; return nil })
	return last, err
}
