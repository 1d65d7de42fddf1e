// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
)

// Header is one header of a request.
type Header struct {
	Name  string       `yaml:"name" required:"true" example:"X-Api-Key" name:"true"`
	Value value.Secret `yaml:"value" required:"true" example:"{credential: api-key}"`
}

// CheckHeaders notes the faults of the list headers of s. writes returns the key that writes
// a header in canonical form; empty without one.
func CheckHeaders(s strict.Section, headers []Header, writes func(name string) string) {
	first := make(map[string]int)
	for i, h := range headers {
		key := fmt.Sprintf("headers[%d].name", i)
		if h.Name == "" || !CheckHeaderName(s, key, h.Name) {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		if why := writes(name); why != "" {
			s.Errorf(key, "%s is written by %s; leave one of them out", name, why)
		} else if j, ok := first[name]; ok {
			s.Errorf(key, "%s is headers[%d] already%s; leave one of them out", name, j, s.Line(fmt.Sprintf("headers[%d].name", j)))
		} else {
			first[name] = i
		}
	}
}

// reservedHeaders belong to the connection, or describe the body that the client writes.
var reservedHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// CheckHeaderName notes the fault of the name of a header at a key of s. It reports whether
// the name is valid.
func CheckHeaderName(s strict.Section, key, name string) bool {
	switch {
	case !value.IsHeaderName(name):
		s.Errorf(key, "is not a valid name of a header; write letters, digits and dashes, like X-Api-Key")
	case slices.Contains(reservedHeaders, textproto.CanonicalMIMEHeaderKey(name)):
		s.Errorf(key, "%s belongs to the connection or to the body, and the sink writes it; leave it out", strict.Quote(name))
	default:
		return true
	}
	return false
}

// HasHeader reports whether headers include one of this name in canonical form.
func HasHeader(headers []Header, name string) bool {
	return slices.ContainsFunc(headers, func(h Header) bool { return http.CanonicalHeaderKey(h.Name) == name })
}

// ReadHeaders reads the secret values of headers, and sets them in h.
func ReadHeaders(headers []Header, h http.Header, secrets *redact.Texts) error {
	for _, header := range headers {
		text, err := secret.Read(header.Value)
		if err != nil {
			return fmt.Errorf("header %s: %w", header.Name, err)
		}
		secrets.Add(text)
		SetOnce(h, header.Name, text)
	}
	return nil
}

// SetDefault sets a header that h does not have.
func SetDefault(h http.Header, name, text string) {
	if h.Get(name) == "" {
		h.Set(name, text)
	}
}

// SetOnce sets a header without making the transport repeat requests: if a header has one
// of these names in canonical form, the transport considers a POST repeatable, even after
// the server may have accepted it.
func SetOnce(h http.Header, name, text string) {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Idempotency-Key":
		h["idempotency-key"] = []string{text}
	case "X-Idempotency-Key":
		h["x-idempotency-key"] = []string{text}
	default:
		h.Set(name, text)
	}
}
