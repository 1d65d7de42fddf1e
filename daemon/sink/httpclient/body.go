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

// A body reports how much of it was read while another goroutine reads it.
type body struct {
	text   *bytes.Reader
	unread atomic.Int64
	done   func()
}

// body returns a body with a text. Close ends its use.
func (u *Uses) body(text []byte) *body {
	u.n.Add(1)
	b := &body{text: bytes.NewReader(text), done: sync.OnceFunc(func() { u.n.Add(-1) })}
	b.unread.Store(int64(len(text)))
	return b
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	b.unread.Add(int64(-n))
	return n, err
}

func (b *body) Close() error { b.done(); return nil }

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
