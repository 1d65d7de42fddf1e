// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."), []strict.ForeignKey{
		{Words: "endpoint address host target uri logs_endpoint server collector", Key: "url"},
		{Words: "transport proto", Key: "protocol"},
		{Words: "gzip compress", Key: "compression"},
		{
			Words: "authorization auth bearer token bearer_token api_key apikey header metadata", Key: "headers",
			Advice: "write headers, a list such as {name: Authorization, value: {credential: otlp-authorization}}",
		},
		{Words: "tls_config ssl", Key: "tls"},
		{Words: "max_message max_size max_message_size max_recv_msg_size", Key: "max_request"},
		{Words: "level severity_number severity_text", Key: "severity"},
		{Words: "attributes resource_attributes resources", Key: "resource"},
		{Words: "timeout request_timeout", Key: "^attempt_timeout"},
		{
			Words: "retry_on_failure retries max_retries max_elapsed_time", Key: "^retry_max",
			Advice: "events are sent until the receiver accepts them; retry_max, next to otlp, is the longest pause between attempts",
		},
		{
			Words: "sending_queue queue queue_size batch batch_size max_batch send_batch_size", Key: "^batch_events",
			Advice: "the daemon's journal is the queue; batch_events, next to otlp, is the maximum number of events in a request",
		},
		{Words: "body format encoding", Key: "resource", Advice: "records have the event as the body and the attributes; leave it out"},
	}...)
}

// logsPath is the path of a URL without one, for http.
const logsPath = "/v1/logs"

// parseURL parses a URL for the protocol. Its errors contain no part of the text.
func (c *Config) parseURL(text string) (*url.URL, error) {
	u, err := httpclient.ParseURL(text, "https", "http")
	switch {
	case err != nil:
		return nil, err
	case u.User != nil:
		return nil, errors.New("has a user; write it as the header Authorization instead: " +
			"headers: [{name: Authorization, value: {credential: otlp-authorization}}]")
	case c.Protocol == protocolGRPC && (strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		return nil, errors.New("has a path, which grpc does not use; write one like https://collector.example.com:4317")
	case c.Protocol == protocolHTTP && strings.Trim(u.Path, "/") == "":
		u.Path = logsPath
	}
	return u, nil
}

// Verify implements sink.Verifier. Its errors wrap those of sink.VerifySecret.
func (c *Config) Verify(event.Encoder) error {
	errs := []error{c.verifyURL(), tlsclient.Check(&c.TLS, "otlp.tls")}
	for i, h := range c.Headers {
		errs = append(errs, sink.VerifySecret(fmt.Sprintf("otlp.headers[%d].value", i), h.Value, nil))
	}
	return errors.Join(errs...)
}

func (c *Config) verifyURL() error {
	return sink.VerifySecret("otlp.url", c.URL, func(text string) error {
		u, err := c.parseURL(text)
		if err == nil && u.Scheme == "http" && c.TLS != (value.TLS{}) {
			err = errors.New("is http, so the keys below tls are not used; write https, or leave tls out")
		}
		return err
	})
}

// Peers implements sink.Peer. The place of a URL that is not in the configuration is not
// known.
func (c *Config) Peers() []sink.PeerSocket {
	text, _ := c.URL.Inline()
	u, err := c.parseURL(text)
	if err != nil {
		return nil
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return []sink.PeerSocket{{Key: "url", HostPort: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))}}
}
