// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrStreamEnded is wrapped by the error of a stream that the daemon has ended.
var ErrStreamEnded = errors.New("the stream of events has ended")

// maxEventLine is much longer than any event.
const maxEventLine = 16 << 20

// Events calls visit for each line of the answer: an event, or a Missed. The line is valid
// until visit returns. Without Follow, Events returns nil after the last event. With Follow
// it returns an error that wraps ErrStreamEnded when the daemon ends, or that of the context.
func (c *Client) Events(ctx context.Context, q *EventsQuery, visit func(line []byte) error) error {
	if err := c.probe(ctx); err != nil {
		return err
	}
	path := "/v1/events?" + q.Values().Encode()
	answer, err := c.do(ctx, c.patient, http.MethodGet, path, nil) // events may be rare
	if err != nil {
		return err
	}
	defer answer.Close() // only read
	lines := bufio.NewScanner(answer)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		if err := failure(lines.Bytes()); err != nil {
			return err
		}
		if err := visit(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && q.Follow:
		return fmt.Errorf("%w: the connection was lost: the daemon has ended, or this client did not read for 30 seconds", ErrStreamEnded)
	case err != nil:
		return fmt.Errorf("the answer of the daemon is incomplete: %w", err)
	case q.Follow:
		return fmt.Errorf("%w: the daemon has ended", ErrStreamEnded)
	}
	return nil
}

// failure returns the error of a StreamError.
func failure(line []byte) error {
	var e StreamError
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("the answer of the daemon is incomplete: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	if e.Kind == KindError {
		return errors.New(e.Error)
	}
	return nil
}

// Explain returns what the daemon knows about an event. With a filter it returns the trace
// of the filter in place of the sinks.
func (c *Client) Explain(ctx context.Context, id, filter string) (*Explanation, error) {
	path := "/v1/events/" + url.PathEscape(id)
	if filter != "" {
		path += "?" + url.Values{"filter": {filter}}.Encode()
	}
	var e *Explanation
	err := lines(ctx, c, path, func(got Explanation) error { e = &got; return nil })
	if err == nil && e == nil {
		err = io.ErrUnexpectedEOF
	}
	return e, err
}
