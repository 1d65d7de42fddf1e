// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// Uses counts the bodies that the transport may still read, which may be long after the
// response has arrived. The memory of a body must not be overwritten before.
type Uses struct{ n atomic.Int32 }

// InUse reports whether the transport may still read a body.
func (u *Uses) InUse() bool { return u.n.Load() != 0 }

// A body reports how much of it was read while another goroutine reads it. The transport of
// HTTP/2 closes a body while it may still read it, so Close waits for Read, and a later Read does
// not touch the text.
type body struct {
	unread atomic.Int64
	uses   *Uses

	mu   sync.Mutex
	text *bytes.Reader // nil after Close
}

// body returns a body with a text. Close ends its use.
func (u *Uses) body(text []byte) *body {
	u.n.Add(1)
	b := &body{text: bytes.NewReader(text), uses: u}
	b.unread.Store(int64(len(text)))
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.text.Read(p)
	b.unread.Add(int64(-n))
	return n, err
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text != nil {
		b.text = nil
		b.uses.n.Add(-1)
	}
	return nil
}

// Request returns the request of the exchange. uses counts its bodies.
func (x *Exchange) Request(ctx context.Context, method string, to *url.URL, h http.Header, text []byte, uses *Uses) *http.Request {
	reader := func() io.ReadCloser {
		b := uses.body(text)
		x.body.Store(b)
		return b
	}
	req := &http.Request{
		Method: method, URL: to, Host: to.Host, Header: h, ContentLength: int64(len(text)),
		Body: reader(), GetBody: func() (io.ReadCloser, error) { return reader(), nil },
	}
	return req.WithContext(x.trace(ctx))
}
