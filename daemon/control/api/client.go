// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A Client sends requests to the daemon over its control socket. It is safe for
// concurrent use.
type Client struct {
	socket  string
	quick   *http.Client // for requests that the daemon answers at once
	patient *http.Client // for requests that may take long, without a timeout
}

// NewClient returns a client for the socket at the path. Each request connects if
// necessary, and waits for the answer without a timeout.
func NewClient(socket string) *Client {
	patient := dialing(socket, 0)
	return &Client{socket, patient, patient}
}

// WithTimeout returns a client for the same socket. Its requests fail with an error that
// wraps os.ErrDeadlineExceeded when the daemon sends nothing for the duration timeout,
// except while the daemon replays, drops or reloads. 0 disables the timeout.
func (c *Client) WithTimeout(timeout time.Duration) *Client {
	return &Client{c.socket, dialing(c.socket, timeout), c.patient}
}

// dialing returns a client whose connections fail after idle without data.
func dialing(socket string, idle time.Duration) *http.Client {
	dialer := net.Dialer{Timeout: idle}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "unix", socket)
			if err != nil || idle == 0 {
				return conn, err
			}
			return &impatient{conn, idle}, nil
		},
	}}
}

// An impatient connection fails when no data arrive for the duration idle.
type impatient struct {
	net.Conn
	idle time.Duration
}

// Read implements net.Conn.
func (c *impatient) Read(b []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.idle))
	return c.Conn.Read(b)
}

// Status returns the state of the daemon.
func (c *Client) Status(ctx context.Context) (s *Status, err error) {
	err = lines(ctx, c, "/v1/status", func(got *Status) error { s = got; return nil })
	if err == nil && s == nil {
		err = fmt.Errorf("the answer of the daemon is incomplete: %w", io.ErrUnexpectedEOF)
	}
	return s, err
}

// Config returns the configuration in use as YAML, without secrets.
func (c *Client) Config(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/config") }

// Files returns the configuration that the files contain now. Faults in it are an *Error with
// Faults.
func (c *Client) Files(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/config/files") }

// Metrics returns the metrics in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return c.text(ctx, "/v1/metrics") }

// Stacks returns the stacks of all goroutines. The caller must be an operator.
func (c *Client) Stacks(ctx context.Context) ([]byte, error) {
	return c.text(ctx, "/debug/pprof/goroutine")
}

func (c *Client) text(ctx context.Context, path string) ([]byte, error) {
	answer, err := c.do(ctx, c.quick, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close() // only read
	return io.ReadAll(answer)
}

// LogLevel returns the log level.
func (c *Client) LogLevel(ctx context.Context) (l LogLevel, err error) {
	err = lines(ctx, c, "/v1/log-level", func(got LogLevel) error { l = got; return nil })
	return l, err
}

// SetLogLevel changes the log level until the next reload or restart.
func (c *Client) SetLogLevel(ctx context.Context, level string) (*LogLevel, error) {
	body, err := json.Marshal(LogLevel{Level: level})
	if err != nil {
		return nil, err
	}
	return send[LogLevel](ctx, c, http.MethodPut, "/v1/log-level", body)
}

// Boxes calls visit for the box of each sink, in the order of the configuration.
func (c *Client) Boxes(ctx context.Context, visit func(Box) error) error {
	return lines(ctx, c, "/v1/dead-letters", visit)
}

// Letters calls visit for each letter of a sink, in the order of the events. It stops at
// the first error of visit.
func (c *Client) Letters(ctx context.Context, sink string, visit func(Letter) error) error {
	return lines(ctx, c, "/v1/dead-letters/"+url.PathEscape(sink), visit)
}

// Letter returns one letter.
func (c *Client) Letter(ctx context.Context, sink, id string) (l Letter, err error) {
	path := "/v1/dead-letters/" + url.PathEscape(sink) + "/" + url.PathEscape(id)
	err = lines(ctx, c, path, func(got Letter) error { l = got; return nil })
	return l, err
}

// Replay marks letters for another delivery, and returns their number. A letter is removed
// when the sink accepts it.
func (c *Client) Replay(ctx context.Context, sink string, s Selection) (int, error) {
	return c.change(ctx, sink, "replay", s)
}

// Drop permanently removes letters, and returns their number.
func (c *Client) Drop(ctx context.Context, sink string, s Selection) (int, error) {
	return c.change(ctx, sink, "drop", s)
}

// Reload makes the daemon reload its configuration, and waits until the new one is active.
// An invalid configuration is an *Error with Faults, and changes nothing.
func (c *Client) Reload(ctx context.Context) (*Reload, error) {
	return send[Reload](ctx, c, http.MethodPost, "/v1/reload", nil)
}

func (c *Client) change(ctx context.Context, sink, what string, s Selection) (int, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	count, err := send[Count](ctx, c, http.MethodPost, "/v1/dead-letters/"+url.PathEscape(sink)+"/"+what, body)
	if err != nil {
		return 0, err
	}
	return count.Letters, nil
}

// probe returns an error if no daemon answers quickly. The request after it may take long.
func (c *Client) probe(ctx context.Context) error {
	var refused *Error
	answer, err := c.do(ctx, c.quick, http.MethodGet, "/v1", nil)
	if err == nil {
		answer.Close() // only read
	} else if !errors.As(err, &refused) {
		return err
	}
	return nil
}

// send sends a request that changes something, and decodes the answer.
func send[T any](ctx context.Context, c *Client, method, path string, body []byte) (*T, error) {
	if err := c.probe(ctx); err != nil {
		return nil, err
	}
	answer, err := c.do(ctx, c.patient, method, path, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close() // only read
	done := new(T)
	if err := json.NewDecoder(answer).Decode(done); err != nil {
		return nil, err
	}
	return done, nil
}

// lines decodes an answer with one JSON object per line.
func lines[T any](ctx context.Context, c *Client, path string, visit func(T) error) error {
	answer, err := c.do(ctx, c.quick, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Close() // only read
	for dec := json.NewDecoder(answer); ; {
		var v T
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the answer of the daemon is incomplete: %w", err)
		}
		if err := visit(v); err != nil {
			return err
		}
	}
}

// ErrNoDaemon is wrapped by the error if no daemon answers at the socket: no process
// listens, or the listener does not use the protocol.
var ErrNoDaemon = errors.New("ask the daemon")

const maxError = 1 << 20

// do returns the body of the answer. The error is an *Error if the daemon refused the
// request.
func (c *Client) do(ctx context.Context, by *http.Client, method, path string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://genltestd"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := by.Do(req)
	if err != nil {
		var made *url.Error // the operator does not know the URL in it
		if errors.As(err, &made) {
			err = made.Err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ask the daemon: %w", err)
		}
		return nil, fmt.Errorf("%w: %w", ErrNoDaemon, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close() // only read
	if resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
		return nil, &Error{Status: http.StatusBadRequest, Message: "the request is too long; shorten the filter to at most 16 KiB"}
	}
	refused := &Error{Status: resp.StatusCode}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(refused); err != nil || refused.Message == "" {
		refused.Message = fmt.Sprintf("the daemon answers %s: it may be of another version", resp.Status)
	}
	return nil, refused
}
