// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/realserver"
)

// refuses fails the test unless an attempt is refused temporarily, with a part of the error.
func refuses(t *testing.T, s *Sink, what, text string) {
	t.Helper()
	n, err := s.Deliver(t.Context(), sinktest.Events(1, 2))
	if n != 0 || err == nil || sink.Poisoned(err) != 0 || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: accepted %d, %v, want %s", what, n, err, text)
	}
}

// Certificates expire, and are replaced while the sink runs.
func TestCertificates(t *testing.T) {
	ca, other := sinktest.NewCA(t), sinktest.NewCA(t)
	cert, key := ca.Issue(t, "collector", time.Hour)
	oldCert, oldKey := ca.Issue(t, "old", -time.Hour)
	security := func(cert, key string) object {
		tls := object{"tls": object{"cert_file": cert, "key_file": key, "client_ca_file": ca.File}}
		return object{"receivers": object{"otlp": object{"protocols": object{"http": tls, "grpc": tls}}}}
	}
	r := newRig(t, newBackend(t), security(cert, key))
	protocols(t, func(t *testing.T, protocol string) {
		url := inline("https", r.address(protocol))
		good, goodKey := ca.Issue(t, "client", time.Hour)
		expired, expiredKey := ca.Issue(t, "expired", -time.Hour)
		unknown, unknownKey := other.Issue(t, "unknown", time.Hour)
		for name, tt := range map[string]struct {
			tls  value.TLS
			want string
		}{
			// The server rejects a certificate after the handshake of the client.
			"no certificate":      {sinktest.TLS(ca.File, "", ""), ""},
			"expired certificate": {sinktest.TLS(ca.File, expired, expiredKey), ""},
			"unknown authority":   {sinktest.TLS(ca.File, unknown, unknownKey), ""},
			"another server":      {sinktest.TLS(other.File, good, goodKey), "signed by unknown authority"},
		} {
			refuses(t, newSink(t, Config{URL: url, Protocol: protocol, TLS: tt.tls}), name, tt.want)
		}
		refuses(t, newSink(t, Config{URL: inline("http", r.address(protocol)), Protocol: protocol}), "without TLS", "")
		s := newSink(t, Config{URL: url, Protocol: protocol, TLS: sinktest.TLS(ca.File, good, goodKey)})
		deliver(t, s, sinktest.Events(1, 2))
		rename(t, expired, good)
		rename(t, expiredKey, goodKey)
		refuses(t, s, "replaced by an expired certificate", "") // over a new connection
		renewed, renewedKey := ca.Issue(t, "renewed", time.Hour)
		rename(t, renewed, good)
		rename(t, renewedKey, goodKey)
		deliver(t, s, sinktest.Events(1, 2))

		r.configure(security(oldCert, oldKey))
		r.server.Restart()
		refuses(t, s, "expired certificate of the collector", "expired")
		r.configure(security(cert, key))
		r.server.Restart()
		deliver(t, s, sinktest.Events(1, 2))
	})
}

// nginx requires a token in front of a collector without that extension.
const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
		if ($http_authorization != "Bearer Good-Token") { return 401; }
		location / { proxy_pass http://%[3]s; }
	}
	server {
		listen %[4]s http2;
		if ($http_authorization != "Bearer Good-Token") { return 401; }
		location / { grpc_pass grpc://%[5]s; }
	}
}
`

func TestTokens(t *testing.T) {
	r := newRig(t, newBackend(t))
	dir, http, grpc := t.TempDir(), sinktest.FreeAddress(t), sinktest.FreeAddress(t)
	write(t, dir+"/nginx.conf", fmt.Sprintf(nginxConfig, dir, http, r.http, grpc, r.grpc))
	realserver.Start(t, realserver.Spec{
		Program: "nginx", Args: []string{"-p", dir, "-e", dir + "/error.log", "-c", dir + "/nginx.conf"},
		Ready: func() error {
			c, err := net.Dial("tcp", grpc)
			if err != nil {
				return err
			}
			return c.Close()
		},
	})
	protocols(t, func(t *testing.T, protocol string) {
		address := map[string]string{protocolHTTP: http, protocolGRPC: grpc}[protocol]
		token := t.TempDir() + "/token"
		write(t, token, "Bearer Bad-Token")
		s := newSink(t, Config{URL: inline("http", address), Protocol: protocol, Headers: []httpclient.Header{
			{Name: "Authorization", Value: value.Secret{File: token}},
		}})
		refuses(t, s, "wrong token", "401")
		write(t, token, "Bearer Good-Token\n")
		deliver(t, s, sinktest.Events(1, 2))
		write(t, token, "Bearer Revoked-Token")
		refuses(t, s, "revoked token", "401")
		refuses(t, newSink(t, Config{URL: inline("http", address), Protocol: protocol}), "no token", "401")
	})
}

// A receiver repeats the secrets in its answer.
func TestErrorsContainNoSecret(t *testing.T) {
	const canary = "Canary-4711"
	echo := "token " + canary + "-header, path /" + canary + "-path/v1/logs"
	for name, failure := range map[string]error{
		"status":   &httpError{status: 500, body: echo},
		"protobuf": &httpError{status: 401, header: map[string]string{"Content-Type": protobuf}, body: rpcStatus(echo, 0)},
		"refused":  &httpError{status: 400, header: map[string]string{"Content-Type": protobuf}, body: rpcStatus(echo, 0)},
		"redirect": &httpError{status: 307, header: map[string]string{"Location": "http://h/" + canary + "-path"}},
		"page":     &httpError{status: 200, header: map[string]string{"Content-Type": canary + "-header"}, body: echo},
		"gRPC":     connect.NewError(connect.CodeUnauthenticated, errors.New(echo)),
		"no gRPC":  &httpError{status: 403, body: echo},
		"partial":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			protocols(t, func(t *testing.T, protocol string) {
				r := newReceiver(t, protocol, func([]string) (*collector.ExportLogsServiceResponse, error) {
					if failure == nil {
						return rejects(1, echo), nil
					}
					var http *httpError
					if errors.As(failure, &http) != (protocol == protocolHTTP) {
						return nil, connect.NewError(connect.CodeUnknown, errors.New(echo))
					}
					return nil, failure
				})
				c := Config{URL: value.Inline(r.url), Protocol: protocol, Headers: []httpclient.Header{
					{Name: "Authorization", Value: value.Inline("Bearer " + canary + "-header")},
					{Name: "X-Path", Value: value.Inline("/" + canary + "-path/v1/logs")},
				}}
				if protocol == protocolHTTP {
					c.URL = value.Inline(r.url + "/" + canary + "-path/v1/logs?key=" + canary + "-query")
				}
				s := newSinkOf(t, c, sink.Env{Mask: new(redact.Mask)})
				n, err := s.Deliver(t.Context(), sinktest.Events(1, 2))
				if n != 0 || err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
					t.Errorf("accepted %d, %v", n, err)
				}
				if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, canary) {
					t.Errorf("the configuration prints a secret: %s", text)
				}
			})
		})
	}
}

func TestURLs(t *testing.T) {
	for _, tt := range []struct{ protocol, url, want string }{
		{"http", "https://c:4318/v1/logs", "https://c:4318/v1/logs"},
		{"http", "https://c:4318", "https://c:4318/v1/logs"},
		{"http", "http://[::1]:4318/", "http://[::1]:4318/v1/logs"},
		{"http", "https://c/otlp/v1/logs?key=x", "https://c/otlp/v1/logs?key=x"},
		{"grpc", "https://c:4317", "https://c:4317"},
		{"grpc", "http://c:4317/", "http://c:4317/"},
		{"grpc", "https://c:4317/v1/logs", "has a path"},
		{"grpc", "https://c:4317?x=y", "has a path"},
		{"grpc", "grpc://c:4317", "does not begin with https"},
		{"http", "c:4318", "does not begin with https"},
		{"http", "https://u:secret@c:4318", "has a user"},
	} {
		c := Config{Protocol: tt.protocol, URL: value.Inline(tt.url)}
		u, err := c.parseURL(tt.url)
		if err == nil && u.String() != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) ||
			err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %s: %v, %v, want %s", tt.protocol, tt.url, u, err, tt.want)
		}
		if verify := c.Verify(nil); (verify == nil) != (err == nil) {
			t.Errorf("%s %s: Verify returns %v", tt.protocol, tt.url, verify)
		}
	}
}

// --check-config reports each fault at its key.
func TestVerify(t *testing.T) {
	missing := value.Secret{File: t.TempDir() + "/missing"}
	good := value.Inline("https://c")
	for key, c := range map[string]Config{
		"otlp.url": {Protocol: "http", URL: missing},
		"otlp.headers[1].value": {Protocol: "http", URL: good, Headers: []httpclient.Header{
			{Name: "A", Value: good}, {Name: "B", Value: missing},
		}},
		"otlp.tls.ca": {Protocol: "http", URL: good, TLS: sinktest.TLS(missing.File, "", "")},
	} {
		var fault *sink.OptionError
		if err := c.Verify(nil); !errors.As(err, &fault) || fault.Key != key {
			t.Errorf("%s: %v", key, err)
		}
		if key != "otlp.tls.ca" {
			refuses(t, newSink(t, c), key, "no such file")
		}
	}
	unused := Config{Protocol: "http", URL: value.Inline("http://c"), TLS: sinktest.TLS(sinktest.NewCA(t).File, "", "")}
	if err := unused.Verify(nil); err == nil || !strings.Contains(err.Error(), "write https") {
		t.Error(err)
	}
}

func TestPeers(t *testing.T) {
	for url, want := range map[string]string{"https://c": "c:443", "http://c": "c:80", "https://[::1]:4318": "[::1]:4318"} {
		c := Config{Protocol: "http", URL: value.Inline(url)}
		if got := c.Peers(); len(got) != 1 || got[0] != (sink.PeerSocket{Key: "url", HostPort: want}) {
			t.Errorf("%s: %v", url, got)
		}
	}
	if got := (&Config{Protocol: "http", URL: value.Secret{File: "/x"}}).Peers(); got != nil {
		t.Errorf("the place of a secret in a file: %v", got)
	}
}
