// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	_ "embed" // for the reference
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

var (
	_ sink.Config          = (*Config)(nil)
	_ sink.AttributeHolder = (*Config)(nil)
	_ sink.Peer            = (*Config)(nil)
	_ sink.Verifier        = (*Config)(nil)
	_ strict.Checker       = (*Config)(nil)
	_ strict.Foreign       = (*Config)(nil)
	_ strict.Checker       = (*BasicAuth)(nil)
	_ strict.Foreign       = (*BasicAuth)(nil)
)

// Kind is the kind of sink that sends HTTP requests.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "webhook", Summary: "sends HTTP requests: batches, signatures, TLS and tokens",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "http https rest api http_post post url slack teams discord mattermost rocketchat telegram alertmanager " +
				"loki elasticsearch elastic opensearch " +
				"splunk splunk_hec hec opsgenie pagerduty datadog"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key webhook.
type Config struct {
	// URL is a secret, because for many receivers it is the password. A user and password in
	// it count as Basic.
	URL    value.Secret `yaml:"url" required:"true" example:"https://example.org/events"`
	Method string       `yaml:"method" default:"POST" oneof:"POST PUT PATCH"`
	// Batch is batchArray, batchLines or batchNone, for several events.
	Batch string `yaml:"batch" default:"array" oneof:"array lines none"`
	// Compression is the Content-Encoding of requests.
	Compression string `yaml:"compression" default:"none" oneof:"none gzip zstd"`

	// Bearer is a token for the header Authorization, Basic a user and password.
	Bearer value.Secret `yaml:"bearer" prefix:"Bearer"`
	Basic  BasicAuth    `yaml:"basic"`
	// Headers are more headers of each request.
	Headers []Header `yaml:"headers"`
	// SigningSecrets sign each request according to Standard Webhooks.
	SigningSecrets []value.Secret `yaml:"signing_secrets"`
	// IdempotencyHeader contains the id of the event or batch; empty means no such header.
	IdempotencyHeader string `yaml:"idempotency_header" default:"Idempotency-Key"`

	// Proxy is the URL of a proxy, or proxyEnvironment; the zero Secret means no proxy.
	Proxy value.Secret `yaml:"proxy" word:"environment"`
	TLS   value.TLS    `yaml:"tls"`
	// MaxConnectionAge limits the age of a connection, so that a name that has moved is
	// resolved again; 0 means no limit.
	MaxConnectionAge value.Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`

	// Taken, Retry and Permanent are statuses with another meaning than in the table of the
	// sink: the events were accepted, are sent again, or have a permanent error.
	Taken     []int `yaml:"taken" unit:"HTTP statuses"`
	Retry     []int `yaml:"retry" unit:"HTTP statuses"`
	Permanent []int `yaml:"permanent" unit:"HTTP statuses"`
	// Response is an expression that decides about a response, with the statuses; empty
	// means the statuses alone.
	Response string `yaml:"response" default:""`
}

const (
	batchArray = "array" // a request contains a JSON array
	batchLines = "lines" // a request contains a line for each event
	batchNone  = "none"  // each event has a request of its own

	compressionNone = httpclient.Identity
	compressionGzip = httpclient.Gzip
	compressionZstd = httpclient.Zstd

	// proxyEnvironment as the proxy means HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
	proxyEnvironment = "environment"
)

// BasicAuth is a user and password. The zero BasicAuth is not configured.
type BasicAuth struct {
	User     string       `yaml:"user" default:""`
	Password value.Secret `yaml:"password"`
}

// Header is one header of a request.
type Header = httpclient.Header

// Check implements strict.Checker.
func (w *Config) Check(s strict.Section) {
	if !w.Bearer.IsZero() && w.Basic.User != "" {
		s.Errorf("basic", "there is a bearer token too%s; leave one of them out", s.Line("bearer"))
	}
	if len(w.SigningSecrets) > 0 && w.Compression != compressionNone && s.Read("compression") {
		s.Errorf("compression", "receivers differ in whether they verify the bytes before or after %s; "+
			"leave it out, or leave signing_secrets out", w.Compression)
	}
	for i, secret := range w.SigningSecrets {
		key := fmt.Sprintf("signing_secrets[%d]", i)
		if secret.IsZero() && !s.FaultyWithin(key) {
			s.Errorf(key, "is empty; write a secret, or its place")
		}
		if before := slices.IndexFunc(w.SigningSecrets[:i], secret.Equal); before >= 0 && !secret.IsZero() {
			s.Errorf(key, "is signing_secrets[%d] already; leave one of them out", before)
		}
	}
	w.checkIdempotencyHeader(s)
	httpclient.CheckHeaders(s, w.Headers, w.writes)
	w.checkStatuses(s)
}

// Check implements strict.Checker.
func (b *BasicAuth) Check(s strict.Section) {
	switch {
	case b.User == "" && !b.Password.IsZero():
		s.Errorf("password", "requires a user; add user")
	case b.User != "" && b.Password.IsZero():
		s.Errorf("user", "requires a password; add password")
	case strings.ContainsFunc(b.User, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		s.Errorf("user", "has a colon or a control character, which this scheme cannot carry; write the name alone")
	}
}

// checkIdempotencyHeader rejects a header that already has a meaning: the id would
// replace a token or the type of the body.
func (w *Config) checkIdempotencyHeader(s strict.Section) {
	const key = "idempotency_header"
	if w.IdempotencyHeader == "" || !httpclient.CheckHeaderName(s, key, w.IdempotencyHeader) {
		return
	}
	name := textproto.CanonicalMIMEHeaderKey(w.IdempotencyHeader)
	taken := slices.Contains(meaningfulHeaders, name)
	for _, prefix := range meaningfulPrefixes {
		taken = taken || strings.HasPrefix(name, prefix)
	}
	if taken {
		s.Errorf(key, "%s has a meaning of its own, which an id would replace; choose another header, such as X-Event-Id", name)
	}
}

// writes returns the key that writes a header; empty without one.
func (w *Config) writes(name string) string {
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

// An id must not replace these headers: Webhook-* belongs to Standard Webhooks, Ce-* to
// CloudEvents in binary mode.
var (
	meaningfulHeaders = []string{
		"Accept", "Accept-Encoding", "Authorization", "Cache-Control", "Content-Type", "Cookie", "Date",
		"Forwarded", "From", "Origin", "Referer", "User-Agent", "Via",
	}
	meaningfulPrefixes = []string{"Accept-", "Access-Control-", "Ce-", "Content-", "If-", "Proxy-", "Sec-", "Webhook-", "X-Forwarded-"}
)

func (w *Config) checkStatuses(s strict.Section) {
	first := make(map[int]string)
	for _, list := range []struct {
		key      string
		statuses []int
	}{{"taken", w.Taken}, {"retry", w.Retry}, {"permanent", w.Permanent}} {
		for i, status := range list.statuses {
			key := fmt.Sprintf("%s[%d]", list.key, i)
			switch before := first[status]; {
			case status < 300 || status > 599:
				s.Errorf(key, "%d is out of range; write a status from 300 to 599", status)
			case before != "":
				s.Errorf(key, "%d is in the list %s already; leave one of them out", status, before)
			}
			first[status] = list.key
		}
	}
}
