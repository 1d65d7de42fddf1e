// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

var _ = []checker{(*Webhook)(nil), (*BasicAuth)(nil), (*Secret)(nil)}

// Webhook sends events by HTTP requests.
type Webhook struct {
	// URL is where to; a Secret, because for many receivers it is the password.
	URL Secret `yaml:"url" required:"true" example:"https://example.org/events"`
	// Method is that of the requests.
	Method HTTPMethod `yaml:"method" default:"POST"`
	// Batch says how several events go into one request.
	Batch WebhookBatch `yaml:"batch" default:"array"`
	// Compression is of the body.
	Compression Compression `yaml:"compression" default:"none"`

	// Bearer is a token for the header Authorization, Basic a user and password.
	Bearer Secret    `yaml:"bearer"`
	Basic  BasicAuth `yaml:"basic"`
	// Headers are more headers of each request.
	Headers []Header `yaml:"headers"`
	// SigningSecrets sign each request as Standard Webhooks has it.
	SigningSecrets []Secret `yaml:"signing_secrets"`
	// IdempotencyHeader is where the id of the event or batch stands; empty for
	// nowhere.
	IdempotencyHeader string `yaml:"idempotency_header" default:"Idempotency-Key"`

	// Proxy is the URL of one, or ProxyEnvironment; the zero Secret is none.
	Proxy Secret `yaml:"proxy" word:"environment"`
	TLS   TLS    `yaml:"tls"`
	// MaxConnectionAge is how long a connection is used, so that a name that has moved is
	// resolved anew; 0 is for as long as it holds.
	MaxConnectionAge Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`

	// Taken, Retry and Permanent say of statuses what the sink's own table does not:
	// that the events were taken, are worth another attempt, or will never be taken.
	Taken     []int `yaml:"taken" unit:"HTTP statuses"`
	Retry     []int `yaml:"retry" unit:"HTTP statuses"`
	Permanent []int `yaml:"permanent" unit:"HTTP statuses"`
	// Response is an expression that decides what a response means, with the statuses;
	// empty for the statuses alone.
	Response string `yaml:"response" default:""`
}

// ProxyEnvironment stands, as the proxy, for HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
const ProxyEnvironment = "environment"

// BasicAuth is a user and password; the zero BasicAuth is none.
type BasicAuth struct {
	User     string `yaml:"user" default:""`
	Password Secret `yaml:"password"`
}

// Header is one header of a request.
type Header struct {
	Name  string `yaml:"name" required:"true" example:"X-Api-Key"`
	Value Secret `yaml:"value" required:"true" example:"{credential: api-key}"`
}

func (w *Webhook) check(s section) {
	if !w.Bearer.IsZero() && w.Basic.User != "" {
		s.errorf("basic", "there is a bearer token too%s; leave one of them out", s.line("bearer"))
	}
	if len(w.SigningSecrets) > 0 && w.Compression != CompressionNone && s.read("compression") {
		s.errorf("compression", "receivers differ in whether they verify the bytes before or after %s; leave it out, or leave signing_secrets out", w.Compression)
	}
	for i, secret := range w.SigningSecrets {
		if key := fmt.Sprintf("signing_secrets[%d]", i); secret.IsZero() && !s.faultyWithin(key) {
			s.errorf(key, "is empty; write a secret, or say where it is")
		}
	}
	w.checkIdempotencyHeader(s)
	w.checkHeaders(s)
	w.checkStatuses(s)
}

func (b *BasicAuth) check(s section) {
	switch {
	case b.User == "" && !b.Password.IsZero():
		s.errorf("password", "has no user beside it; add user")
	case b.User != "" && b.Password.IsZero():
		s.errorf("user", "has no password beside it; add password")
	case strings.ContainsFunc(b.User, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		s.errorf("user", "has a colon or a control character, which this scheme cannot carry; write the name alone")
	}
}

// checkIdempotencyHeader rejects a header that already has a meaning: the id would
// replace a token or the type of the body.
func (w *Webhook) checkIdempotencyHeader(s section) {
	const key = "idempotency_header"
	if w.IdempotencyHeader == "" || !w.checkHeaderName(s, key, w.IdempotencyHeader) {
		return
	}
	name := textproto.CanonicalMIMEHeaderKey(w.IdempotencyHeader)
	taken := slices.Contains(meaningfulHeaders, name)
	for _, prefix := range meaningfulPrefixes {
		taken = taken || strings.HasPrefix(name, prefix)
	}
	if taken {
		s.errorf(key, "%s has a meaning of its own, which an id would replace; choose another header, such as X-Event-Id", name)
	}
}

func (w *Webhook) checkHeaders(s section) {
	first := make(map[string]int)
	for i, h := range w.Headers {
		key := fmt.Sprintf("headers[%d].name", i)
		if h.Name == "" || !w.checkHeaderName(s, key, h.Name) {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		if why := w.writes(name); why != "" {
			s.errorf(key, "%s is written by %s; leave one of them out", name, why)
		} else if j, ok := first[name]; ok {
			s.errorf(key, "%s is headers[%d] already%s; leave one of them out", name, j, s.line(fmt.Sprintf("headers[%d].name", j)))
		} else {
			first[name] = i
		}
	}
}

// writes says which key writes a header itself, "" for none.
func (w *Webhook) writes(name string) string {
	switch {
	case name == textproto.CanonicalMIMEHeaderKey(w.IdempotencyHeader):
		return "idempotency_header"
	case name == "Authorization" && !w.Bearer.IsZero():
		return "bearer"
	case name == "Authorization" && w.Basic.User != "":
		return "basic"
	case name == "Webhook-Id" || name == "Webhook-Timestamp" || name == "Webhook-Signature":
		if len(w.SigningSecrets) > 0 {
			return "signing_secrets"
		}
	}
	return ""
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// What concerns one connection, or is the client's to say of its own body.
var reservedHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// Headers whose value an id must not replace: Webhook-* belongs to Standard Webhooks,
// Ce-* to CloudEvents in binary mode.
var (
	meaningfulHeaders = []string{
		"Accept", "Accept-Encoding", "Authorization", "Cache-Control", "Content-Type", "Cookie", "Date", "Forwarded", "From", "Origin", "Referer", "User-Agent", "Via",
	}
	meaningfulPrefixes = []string{"Accept-", "Access-Control-", "Ce-", "Content-", "If-", "Proxy-", "Sec-", "Webhook-", "X-Forwarded-"}
)

func (w *Webhook) checkHeaderName(s section, key, name string) bool {
	switch {
	case !headerName.MatchString(name):
		s.errorf(key, "is no name of a header; write letters, digits and dashes, like X-Api-Key")
	case slices.Contains(reservedHeaders, textproto.CanonicalMIMEHeaderKey(name)):
		s.errorf(key, "%s belongs to the connection or to the body, and is written where it is due; leave it out", quote(name))
	default:
		return true
	}
	return false
}

func (w *Webhook) checkStatuses(s section) {
	first := make(map[int]string)
	for _, list := range []struct {
		key      string
		statuses []int
	}{{"taken", w.Taken}, {"retry", w.Retry}, {"permanent", w.Permanent}} {
		for i, status := range list.statuses {
			key := fmt.Sprintf("%s[%d]", list.key, i)
			switch before := first[status]; {
			case status < 300 || status > 599:
				s.errorf(key, "%d is out of range; write a status from 300 to 599", status)
			case before != "":
				s.errorf(key, "%d is in the list %s already; leave one of them out", status, before)
			}
			first[status] = list.key
		}
	}
}

// HTTPMethod is the method of a request that has a body.
type HTTPMethod string

// UnmarshalText refuses other methods.
func (m *HTTPMethod) UnmarshalText(text []byte) error {
	return oneOf[HTTPMethod](m, text, "POST", "PUT", "PATCH")
}

// MarshalText is the inverse of UnmarshalText.
func (m HTTPMethod) MarshalText() ([]byte, error) { return []byte(m), nil }

// WebhookBatch says how several events go into one request.
type WebhookBatch string

const (
	// WebhookBatchArray makes a JSON array of them.
	WebhookBatchArray WebhookBatch = "array"
	// WebhookBatchLines gives each a line.
	WebhookBatchLines WebhookBatch = "lines"
	// WebhookBatchNone gives each a request.
	WebhookBatchNone WebhookBatch = "none"
)

// UnmarshalText refuses what is none of the constants.
func (b *WebhookBatch) UnmarshalText(text []byte) error {
	return oneOf(b, text, WebhookBatchArray, WebhookBatchLines, WebhookBatchNone)
}

// MarshalText is the inverse of UnmarshalText.
func (b WebhookBatch) MarshalText() ([]byte, error) { return []byte(b), nil }

// Compression is of what goes over a network.
type Compression string

const (
	// CompressionNone sends bytes as they are.
	CompressionNone Compression = "none"
	// CompressionGzip is RFC 1952.
	CompressionGzip Compression = "gzip"
	// CompressionZstd is RFC 8878.
	CompressionZstd Compression = "zstd"
)

// UnmarshalText refuses what is none of the constants.
func (c *Compression) UnmarshalText(text []byte) error {
	return oneOf(c, text, CompressionNone, CompressionGzip, CompressionZstd)
}

// MarshalText is the inverse of UnmarshalText.
func (c Compression) MarshalText() ([]byte, error) { return []byte(c), nil }
