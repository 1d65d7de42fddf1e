// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

const (
	maxResponse = 64 << 10 // bytes of a response that are read
	maxError    = 400      // bytes of an error of the TLS files that are shown
)

// send makes one request with text, the encoded events, and returns the result.
func (s *Sink) send(ctx context.Context, a *access, events []event.Event, text []byte) error {
	resp, x, err := s.exchange(ctx, a, events, text)
	if err != nil && x.IdleClosed(ctx, err) {
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
	early := x.Incomplete()
	answer, err := httpclient.ReadPrefix(s.response, resp.Body)
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
	return s.refused(a, resp, verdict, httpclient.Describe(resp, how, httpclient.PlainText(resp.Header, answer), s.env.Mask), len(events))
}

// exchange makes a request.
func (s *Sink) exchange(ctx context.Context, a *access, events []event.Event, text []byte) (*http.Response, *httpclient.Exchange, error) {
	x := new(httpclient.Exchange)
	req, err := s.request(ctx, x, a, events, text)
	if err != nil {
		return nil, x, err
	}
	resp, err := s.link.RoundTrip(req)
	return resp, x, err
}

func (s *Sink) where(a *access) string {
	return s.config.Method + " " + a.url.Scheme + "://" + a.url.Host
}

// request builds the request. Headers that are the same for each request are already in
// a's header.
func (s *Sink) request(ctx context.Context, x *httpclient.Exchange, a *access, events []event.Event, text []byte) (*http.Request, error) {
	packed, err := s.body.pack(text)
	if err != nil {
		return nil, err
	}
	h := maps.Clone(a.header)
	httpclient.SetDefault(h, "User-Agent", "genltestd/"+s.env.Version)
	httpclient.SetDefault(h, "Content-Type", s.body.contentType(s.config.single(s.env.Encoder)))
	if s.config.Compression != compressionNone {
		h.Set("Content-Encoding", s.config.Compression)
	}
	id := idOf(events)
	if s.config.IdempotencyHeader != "" {
		httpclient.SetOnce(h, s.config.IdempotencyHeader, id)
	}
	signature(h, a.keys, id, time.Now(), text)
	if e, ok := s.env.Encoder.(event.Attributer); ok {
		e.Attributes(&events[0], h.Set)
	}
	return x.Request(ctx, s.config.Method, a.url, h, packed, &s.body.uses), nil
}

// failed handles a request without a whole response. Its connection is not used again.
func (s *Sink) failed(ctx context.Context, a *access, err error) error {
	s.disconnect()
	return httpclient.Failed(ctx, s.where(a), err, s.env.Mask)
}

// refused returns the error of a response that does not accept n events.
func (s *Sink) refused(a *access, resp *http.Response, verdict verdict, why string, n int) error {
	if httpclient.MovesOn(resp.StatusCode) {
		s.disconnect() // the next connection may lead to another server
	}
	err := fmt.Errorf("%s: %s", s.where(a), why)
	if verdict == permanent {
		return sink.PermanentAmong(n, sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: resp.StatusCode}.Mark(err))
	}
	if delay := httpclient.RetryAfter(resp.Header, time.Now()); delay > 0 {
		return sink.RetryAfter(delay, err)
	}
	return err
}
