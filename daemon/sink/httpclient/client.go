// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/redact"
)

// A Client makes requests, one at a time, over a link that it replaces when a TLS file or the
// proxy has changed, or when the link is too old.
type Client struct {
	TLS    *value.TLS
	MaxAge time.Duration // 0 disables the limit
	// Protocols are those of the connections; nil means HTTP/1.1, or HTTP/2 if the server
	// offers it over TLS.
	Protocols *http.Protocols

	link  *link // nil before the first request and after a failure
	proxy *url.URL
}

// Connect creates a link, unless one exists and is current. It does not dial. A nil proxy is
// valid: direct connections.
func (c *Client) Connect(proxy *url.URL, mask *redact.Mask) (err error) {
	c.proxy = proxy
	if c.link != nil && (c.link.stale(c.TLS, proxy) || c.link.olderThan(c.MaxAge)) {
		c.Disconnect()
	}
	if c.link != nil {
		return nil
	}
	if c.link, err = newLink(c.TLS, proxy, c.Protocols); err != nil {
		return fmt.Errorf("tls: %s", mask.Clean(err.Error(), maxError))
	}
	return nil
}

// Disconnect closes all connections. The next request requires Connect.
func (c *Client) Disconnect() {
	if c.link != nil {
		c.link.close()
		c.link = nil
	}
}

// Do makes one request on the wire. Unlike http.Client, it does not follow redirects, and its
// errors do not contain the URL.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	return c.link.transport.RoundTrip(req)
}

// A Response is a response of which the beginning was read.
type Response struct {
	*http.Response        // with a closed body
	Text           []byte // beginning of the body
	Early          bool   // the response arrived before the request was sent completely
}

// EarlyError is the error of an early response whose status means that the request was accepted.
func (r *Response) EarlyError() error {
	return fmt.Errorf("the response with status %d arrived before the request was sent completely, "+
		"so the receiver has not read it", r.StatusCode)
}

// Send makes the request that build returns, and reads the beginning of the response into
// buf. If the server closes an idle connection meanwhile, Send makes the request again at once
// on a new connection. After an error, the client is disconnected.
func (c *Client) Send(ctx context.Context, build func(x *Exchange) *http.Request, buf []byte, mask *redact.Mask) (*Response, error) {
	r, x, err := c.exchange(build, buf)
	if err != nil && x.idleClosed(ctx, err) {
		c.Disconnect()
		if err := c.Connect(c.proxy, mask); err != nil {
			return nil, err
		}
		r, _, err = c.exchange(build, buf)
	}
	if err != nil {
		c.Disconnect()
	}
	return r, err
}

func (c *Client) exchange(build func(x *Exchange) *http.Request, buf []byte) (*Response, *Exchange, error) {
	x := new(Exchange)
	resp, err := c.Do(build(x))
	if err != nil {
		return nil, x, err
	}
	defer resp.Body.Close()
	r := &Response{Response: resp, Early: x.incomplete()}
	if r.Text, err = ReadPrefix(buf, resp.Body); err != nil {
		return nil, x, fmt.Errorf("the response with status %d broke off: %w", resp.StatusCode, err)
	}
	return r, x, nil
}
