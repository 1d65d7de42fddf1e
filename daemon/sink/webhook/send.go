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

// maxResponse is the number of bytes of a response that are read.
const maxResponse = 64 << 10

// send makes one request with text, the encoded events, and returns the result.
func (s *Sink) send(ctx context.Context, a *access, events []event.Event, text []byte) error {
	h, packed, err := s.request(a, events, text)
	if err != nil {
		return err
	}
	resp, err := s.client.Send(ctx, func(x *httpclient.Exchange) *http.Request {
		return x.Request(ctx, s.config.Method, a.url, h, packed, &s.body.uses)
	}, s.response, s.env.Mask)
	if err != nil {
		return s.failed(ctx, a, err)
	}
	verdict, how := s.decided(resp.Response, resp.Text)
	switch {
	case verdict == taken && resp.Early:
		s.client.Disconnect()
		return s.failed(ctx, a, resp.EarlyError())
	case verdict == taken:
		return nil
	}
	return s.refused(a, resp, verdict, how, len(events))
}

func (s *Sink) where(a *access) string {
	return s.config.Method + " " + a.url.Scheme + "://" + a.url.Host
}

// request returns the headers and the body of a request. Headers that are the same for each
// request are already in a's header.
func (s *Sink) request(a *access, events []event.Event, text []byte) (h http.Header, packed []byte, err error) {
	packed, err = s.body.pack(text)
	if err != nil {
		return nil, nil, fmt.Errorf("compress the request: %w", err)
	}
	h = maps.Clone(a.header)
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
	return h, packed, nil
}

// failed returns the error of a request without a whole response.
func (s *Sink) failed(ctx context.Context, a *access, err error) error {
	return httpclient.Failed(ctx, s.where(a), err, s.env.Mask)
}

// refused returns the error of a response that does not accept n events.
func (s *Sink) refused(a *access, resp *httpclient.Response, verdict verdict, how string, n int) error {
	if httpclient.MovesOn(resp.StatusCode) {
		s.client.Disconnect() // the next connection may lead to another server
	}
	text := httpclient.PlainText(resp.Header, resp.Text)
	err := fmt.Errorf("%s: %s", s.where(a), httpclient.Describe(resp.Response, how, text, s.env.Mask))
	if verdict == permanent {
		return sink.PermanentAmong(n, sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: resp.StatusCode}.Mark(err))
	}
	if delay := httpclient.RetryAfter(resp.Header, time.Now()); delay > 0 {
		return sink.RetryAfter(delay, err)
	}
	return err
}
