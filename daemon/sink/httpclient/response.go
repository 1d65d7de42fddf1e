// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

const (
	maxExcerpt = 200 // bytes of a text of the server that an error shows
	maxError   = 400 // bytes of an error of the network that are shown
)

// ReadPrefix returns the beginning of a response, up to the length of dst, with an error if
// the response is incomplete.
func ReadPrefix(dst []byte, r io.Reader) ([]byte, error) {
	for n := 0; ; {
		m, err := r.Read(dst[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF) || n == len(dst):
			return dst[:n], nil
		case err != nil:
			return nil, err
		}
	}
}

// Failed returns the error of a request without a whole response. Errors of package http
// repeat data of the server.
func Failed(ctx context.Context, where string, err error, mask *redact.Mask) error {
	return sink.WithText(where+": "+mask.Clean(err.Error(), maxError), errors.Join(ctx.Err(), sink.Untrusted(err)))
}

// Excerpt returns the beginning of a text of the server, cleaned.
func Excerpt(text string, mask *redact.Mask) string { return mask.Clean(text, maxExcerpt) }

// Describe returns the status of a response in our words, how it was decided, the target of a
// redirect, and the beginning of the server's text.
func Describe(resp *http.Response, how, text string, mask *redact.Mask) string {
	d := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	if how != "" {
		d += ": " + how
	}
	if to, err := resp.Location(); err == nil && resp.StatusCode < 400 {
		d += ": a redirect, which is not followed, to " + Excerpt(to.Scheme+"://"+to.Host+to.EscapedPath(), mask)
	}
	if excerpt := Excerpt(text, mask); excerpt != "" {
		d += ": " + excerpt
	}
	return d
}

// PlainText returns the text of a response, or "" if secrets would not be found in it: in
// compressed text, and in encodings such as UTF-16.
func PlainText(h http.Header, text []byte) string {
	if h.Get("Content-Encoding") != "" || bytes.IndexByte(text, 0) >= 0 {
		return ""
	}
	return string(text)
}

// MovesOn reports whether another connection may lead to another server after this status.
func MovesOn(status int) bool { return status >= 500 || status == http.StatusMisdirectedRequest }

// aboutTLS are texts in answers with status 400 that are not about the events: the client
// certificate is missing or invalid (nginx), or the port expects HTTPS (nginx, Apache, Go).
var aboutTLS = []string{
	"SSL certificate",
	"plain HTTP request was sent to HTTPS port",
	"speaking plain HTTP to an SSL-enabled server port",
	"HTTP request to an HTTPS server",
}

// Passes reports whether an answer whose status concerns the events really concerns the
// connection or the receiver's state.
func Passes(status int, h http.Header, text []byte) bool {
	switch status {
	case http.StatusBadRequest:
		return slices.ContainsFunc(aboutTLS, func(phrase string) bool { return bytes.Contains(text, []byte(phrase)) })
	case http.StatusRequestEntityTooLarge:
		return h.Get("Retry-After") != ""
	}
	return false
}
