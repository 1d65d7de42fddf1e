// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

const (
	maxResponse = 64 << 10 // bytes of a response that are read
	maxExcerpt  = 200      // bytes of it that an error shows
	maxError    = 400      // bytes of an error of the network that are shown
)

// send makes one request with text, the encoded events, and returns the result.
func (s *Sink) send(ctx context.Context, a *access, events []event.Event, text []byte) error {
	resp, x, err := s.exchange(ctx, a, events, text)
	if err != nil && x.idleClosed(ctx, err) {
		s.disconnect()
		if err := s.connect(a); err != nil {
			return err
		}
		resp, x, err = s.exchange(ctx, a, events, text)
	}
	if err != nil {
		return s.failed(ctx, a, err)
	}
	defer resp.Body.Close()
	early := x.incomplete()
	answer, err := s.read(resp.Body)
	if err != nil {
		return s.failed(ctx, a, fmt.Errorf("the response with status %d broke off: %w", resp.StatusCode, err))
	}
	verdict, how := s.decided(resp, answer)
	switch {
	case verdict == taken && early:
		return s.failed(ctx, a, fmt.Errorf("the response with status %d arrived before the request was sent completely, "+
			"so the receiver has not read it", resp.StatusCode))
	case verdict == taken:
		return nil
	}
	return s.refused(a, resp, verdict, s.describe(resp, answer, how), len(events))
}

// exchange makes a request. It does not use http.Client, which follows redirects and
// includes the URL in its errors.
func (s *Sink) exchange(ctx context.Context, a *access, events []event.Event, text []byte) (*http.Response, *exchange, error) {
	x := new(exchange)
	req, err := s.request(x.trace(ctx), x, a, events, text)
	if err != nil {
		return nil, x, err
	}
	resp, err := s.link.transport.RoundTrip(req)
	return resp, x, err
}

// read returns the beginning of a response, with an error if the response is incomplete.
func (s *Sink) read(r io.Reader) ([]byte, error) {
	for n := 0; ; {
		m, err := r.Read(s.response[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF) || n == len(s.response):
			return s.response[:n], nil
		case err != nil:
			return nil, err
		}
	}
}

func (s *Sink) where(a *access) string {
	return s.config.Method + " " + a.url.Scheme + "://" + a.url.Host
}

// request builds the request. Headers that are the same for each request are already in
// a's header.
func (s *Sink) request(ctx context.Context, x *exchange, a *access, events []event.Event, text []byte) (*http.Request, error) {
	packed, err := s.body.pack(text)
	if err != nil {
		return nil, err
	}
	h := maps.Clone(a.header)
	setDefault(h, "User-Agent", "genltestd/"+s.env.Version)
	setDefault(h, "Content-Type", s.body.contentType(s.config.single(s.env.Encoder)))
	if s.config.Compression != compressionNone {
		h.Set("Content-Encoding", s.config.Compression)
	}
	id := idOf(events)
	if s.config.IdempotencyHeader != "" {
		setOnce(h, s.config.IdempotencyHeader, id)
	}
	signature(h, a.keys, id, time.Now(), text)
	if e, ok := s.env.Encoder.(event.Attributer); ok {
		e.Attributes(&events[0], h.Set)
	}
	memory := s.body.memory
	reader := func() io.ReadCloser {
		r := memory.reader(packed)
		x.body.Store(r)
		return r
	}
	req := &http.Request{
		Method: s.config.Method, URL: a.url, Host: a.url.Host, Header: h, ContentLength: int64(len(packed)),
		Body: reader(), GetBody: func() (io.ReadCloser, error) { return reader(), nil },
	}
	return req.WithContext(ctx), nil
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

// setOnce sets a header without making the transport repeat requests: if a header has one
// of these names in canonical form, the transport considers a POST repeatable, even after
// the server may have accepted it.
func setOnce(h http.Header, name, value string) {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Idempotency-Key":
		h["idempotency-key"] = []string{value}
	case "X-Idempotency-Key":
		h["x-idempotency-key"] = []string{value}
	default:
		h.Set(name, value)
	}
}

// A failure contains only the cleaned text of its cause, and whether the attempt's context
// has ended.
type failure struct {
	text  string
	ended error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.ended }

// failed handles a request without a whole response. Its connection is not used again.
func (s *Sink) failed(ctx context.Context, a *access, err error) error {
	s.disconnect()
	// Errors of package http repeat data of the server.
	return &failure{s.where(a) + ": " + s.env.Mask.Clean(err.Error(), maxError), ctx.Err()}
}

// refused returns the error of a response that does not accept n events.
func (s *Sink) refused(a *access, resp *http.Response, verdict verdict, why string, n int) error {
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusMisdirectedRequest {
		s.disconnect() // the next connection may lead to another server
	}
	err := fmt.Errorf("%s: %s", s.where(a), why)
	if verdict == permanent {
		return sink.PermanentAmong(n, sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: resp.StatusCode}.Mark(err))
	}
	if delay := retryAfter(resp.Header, time.Now()); delay > 0 {
		return sink.RetryAfter(delay, err)
	}
	return err
}

// describe returns the status in our words, the decision of the expression, the target of
// a redirect, and the beginning of the server's text.
func (s *Sink) describe(resp *http.Response, text []byte, how string) string {
	d := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	if how != "" {
		d += ": " + how
	}
	if to, err := resp.Location(); err == nil && resp.StatusCode < 400 {
		d += ": a redirect, which is not followed, to " + s.env.Mask.Clean(to.Scheme+"://"+to.Host+to.EscapedPath(), maxExcerpt)
	}
	if !isPlain(resp.Header, text) {
		return d
	}
	if excerpt := s.env.Mask.Clean(string(text), maxExcerpt); excerpt != "" {
		d += ": " + excerpt
	}
	return d
}

// isPlain reports whether secrets would be found in the text of a response. It returns
// false for compressed text, and for encodings such as UTF-16.
func isPlain(h http.Header, text []byte) bool {
	return h.Get("Content-Encoding") == "" && bytes.IndexByte(text, 0) < 0
}
