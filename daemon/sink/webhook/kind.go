// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net/textproto"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// ForeignKeys implements strict.Foreign.
func (b *BasicAuth) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{{Words: "username name login", Key: "user"}, {Words: "pass passwd secret password_file", Key: "password"}}
}

// ForeignKeys implements strict.Foreign.
func (w *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{Words: "token bearer_token auth_token api_token access_token bearer_token_file", Key: "bearer"},
		{Words: "authorization auth credentials", Advice: "write bearer for a token, or basic with user and password"},
		{Words: "basic_auth basicauth", Key: "basic"},
		{Words: "username user login", Key: "basic.user"},
		{Words: "password pass passwd", Key: "basic.password"},
		{
			Words: "secret signing_secret signing_key hmac hmac_secret webhook_secret signature", Key: "signing_secrets",
			Advice: "write signing_secrets, a list, to sign requests, or bearer for a token",
		},
		{Words: "timeout request_timeout http_timeout connect_timeout read_timeout", Key: "^attempt_timeout"},
		{
			Words: "retries max_retries retry_count max_attempts attempts", Key: "^retry_max",
			Advice: "events are sent until the webhook accepts them; retry_max, next to webhook, is the longest pause between attempts",
		},
		{Words: "retry_interval retry_delay backoff", Key: "^retry_min"},
		{Words: "batch_size batchsize max_batch", Key: "^batch_events"},
		{Words: "body payload data", Key: "^template"},
		{Words: "format encoding", Key: "^envelope"},
		{Words: "uri endpoint address host target link urls", Key: "url"},
		{Words: "verb http_method", Key: "method"},
		{Words: "proxy_url http_proxy https_proxy", Key: "proxy"},
		{Words: "gzip compress", Key: "compression"},
		{
			Words: "api_key apikey header http_headers custom_headers extra_headers request_headers", Key: "headers",
			Advice: "write headers, a list of {name: X-Api-Key, value: {credential: api-key}}",
		},
		{Words: "tls_config ssl", Key: "tls"},
	}...)
}

// CheckAttributes implements sink.AttributeHolder: headers contain the attributes.
func (w *Config) CheckAttributes(s strict.Section) {
	for i, h := range w.Headers {
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); strings.HasPrefix(name, "Ce-") {
			s.Errorf(fmt.Sprintf("headers[%d].name", i), "%s is written by cloudevents.mode: binary; leave one of them out", name)
		}
	}
}

// New implements sink.Config.
func (w *Config) New(env sink.Env) (sink.Sink, error) { return New(w, env) }
