// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// A Pause is the answer to a request that pauses or resumes a sink.
type Pause struct {
	Sink           string     `json:"sink"`
	PausedSince    *time.Time `json:"paused_since,omitempty"`     // absent if the sink is not paused
	WasPausedSince *time.Time `json:"was_paused_since,omitempty"` // of a sink that was resumed
}

// A Retry is the answer to a request for an attempt at once.
type Retry struct {
	Sink string `json:"sink"`
}

// A Skip selects the events that a sink drops: exactly one of All, To and Until is set.
type Skip struct {
	All    bool       `json:"all,omitempty"`
	To     string     `json:"to,omitempty"`      // id of the last one
	Until  *time.Time `json:"until,omitempty"`   // those received earlier
	DryRun bool       `json:"dry_run,omitempty"` // drop nothing
}

// Skipped is the answer to a Skip.
type Skipped struct {
	Sink string `json:"sink"`
	// Before is the number of selected events after the cursor of the sink. Its rules may reject
	// some of them.
	Before  uint64 `json:"before"`
	Skipped uint64 `json:"skipped"` // events that were dropped
	Done    bool   `json:"done"`    // all selected events have an outcome; otherwise the daemon continues
}

// The outcomes of a SinkTest.
const (
	TestAccepted     = "accepted"
	TestFailed       = "failed"        // for a reason that may pass
	TestRefused      = "refused"       // permanently
	TestNotAttempted = "not_attempted" // the sink has not received the event
)

// A SinkTest is the result of a test of a sink.
type SinkTest struct {
	Sink    string  `json:"sink"`
	ID      string  `json:"id"` // of the event
	Outcome string  `json:"outcome"`
	Seconds float64 `json:"seconds"`         // duration of the attempt
	Error   string  `json:"error,omitempty"` // absent if the event was accepted
}

// Pause pauses a sink until Resume, also across restarts.
func (c *Client) Pause(ctx context.Context, sink string) (*Pause, error) {
	return post[Pause](ctx, c, sink, "pause", nil)
}

// Resume ends the pause of a sink.
func (c *Client) Resume(ctx context.Context, sink string) (*Pause, error) {
	return post[Pause](ctx, c, sink, "resume", nil)
}

// Retry makes a sink that waits after a failure start the next attempt at once.
func (c *Client) Retry(ctx context.Context, sink string) error {
	_, err := post[Retry](ctx, c, sink, "retry", nil)
	return err
}

// Test passes a marked event to the destination of a sink, and returns the result.
func (c *Client) Test(ctx context.Context, sink string) (*SinkTest, error) {
	return post[SinkTest](ctx, c, sink, "test", nil)
}

// Skip makes a sink drop events that it has not finished.
func (c *Client) Skip(ctx context.Context, sink string, s *Skip) (*Skipped, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return post[Skipped](ctx, c, sink, "skip", body)
}

func post[T any](ctx context.Context, c *Client, sink, action string, body []byte) (*T, error) {
	return send[T](ctx, c, http.MethodPost, "/v1/sinks/"+url.PathEscape(sink)+"/"+action, body)
}
