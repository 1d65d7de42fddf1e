// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const (
	fieldURL      = "sinks[].webhook.url"
	fieldBearer   = "sinks[].webhook.bearer"
	fieldPassword = "sinks[].webhook.basic.password"
	fieldHeader   = "sinks[].webhook.headers[].value"
	fieldSigning  = "sinks[].webhook.signing_secrets[]"
	fieldProxy    = "sinks[].webhook.proxy"
)

// url returns a URL that contains secrets, and optionally a user.
func (w *setup) url(base, source string, user bool) any {
	scheme, host, _ := strings.Cut(base, "://")
	if user {
		name, password := w.addCanary(fieldURL, "user", source), w.addCanary(fieldURL, "password", source)
		host = url.UserPassword("user"+name.Text(), password.Text()).String() + "@" + host
	}
	return w.secretValue(source, scheme+"://"+host+"/hooks/"+url.PathEscape(w.addCanary(fieldURL, "path", source).Text())+
		"?v=1&token="+url.QueryEscape(w.addCanary(fieldURL, "query", source).Text()))
}

func (w *setup) header(source string) any {
	return []any{map[string]any{"name": "X-Api-Key", "value": w.secretValue(source, w.addCanary(fieldHeader, "", source).Text())}}
}

func (w *setup) proxy(base, source string) any {
	scheme, host, _ := strings.Cut(base, "://")
	user := url.UserPassword("user", w.addCanary(fieldProxy, "password", source).Text())
	return w.secretValue(source, scheme+"://"+user.String()+"@"+host)
}

// identity returns one of three ways to authenticate a webhook.
func (w *setup) identity(method int, base, source string) map[string]any {
	switch method {
	case 0:
		bearer := w.secretValue(source, w.addCanary(fieldBearer, "", source).Text())
		return map[string]any{"url": w.url(base, source, false), "bearer": bearer, "headers": w.header(source)}
	case 1:
		return map[string]any{"url": w.url(base, source, true), "headers": w.header(source)}
	}
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(w.addCanary(fieldSigning, "", source).Text()))
	return map[string]any{
		"url":             w.url(base, source, false),
		"basic":           map[string]any{"user": "user", "password": w.secretValue(source, w.addCanary(fieldPassword, "", source).Text())},
		"signing_secrets": []any{w.secretValue(source, secret)},
	}
}

// webhooks adds a sink for each way to authenticate, or only one in short mode. Their secrets
// are in different sources.
func (w *setup) webhooks(name, base string, options map[string]any, more ...string) {
	w.hooks++
	for method := range 3 {
		if testing.Short() && method != w.hooks%3 {
			continue
		}
		hook := w.identity(method, base, secretSources[(w.hooks+method)%len(secretSources)])
		for key, value := range options {
			hook[key] = value
		}
		w.sink(fmt.Sprintf("%s-%d", name, method), "webhook", hook, more...)
	}
}

// echoing adds webhooks whose receivers repeat the requests.
func (w *setup) echoing() {
	for _, code := range []int{
		199, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
		414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 507, 508, 511, 599, 999,
	} {
		w.webhooks(fmt.Sprintf("status-%d", code), "http://"+w.serve(nil, status(code)).addr, nil)
	}
	for i, format := range []string{
		"HTTP/1.1 %s %s\r\n\r\n", "HTTP/1.1 500 Oops\r\n%s\r\n\r\n", "HTTP/1.1 500 Oops\r\n%s: %s\r\n\r\n", "%s 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n%s\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n", "HTTP/1.1 500 Oops\r\nContent-Length: 9999\r\n\r\n%s %s",
		"HTTP/1.1 103 Early Hints\r\nLink: %s\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\n\r\n%s", "220 %s ESMTP\r\n",
		"HTTP/1.1 500 Oops\r\nContent-Encoding: %s\r\nConnection: close\r\n\r\n%s",
	} {
		w.webhooks(fmt.Sprintf("raw-%d", i), "http://"+w.serve(nil, raw(format)).addr, nil)
	}
	w.webhooks("utf-16", "http://"+w.serve(nil, onRequest(func(c io.Writer, r *http.Request) {
		fmt.Fprintf(c, "HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n%s", inUTF16(strings.Join(requestTexts(r, 0), " "))[0])
	})).addr, nil)
	// The client may have closed the connection.
	repeatRequest := onRequest(func(c io.Writer, r *http.Request) { r.Write(c) })
	w.webhooks("whole-request", "http://"+w.serve(nil, repeatRequest).addr, nil)
}

// silent adds webhooks whose receivers do not answer or do not exist.
func (w *setup) silent() {
	w.webhooks("drop", "http://"+w.serve(nil, onRequest(func(io.Writer, *http.Request) {})).addr, nil)
	w.webhooks("reset", "http://"+w.serve(nil, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }).addr, nil) // else it is a drop
	hang := w.serve(nil, onRequest(func(io.Writer, *http.Request) { <-w.t.Context().Done() }))
	w.webhooks("hang", "http://"+hang.addr, nil, "attempt_timeout", "300ms")
	half := w.serve(nil, func(c net.Conn) {
		status(500)(c)
		<-w.t.Context().Done()
	})
	w.webhooks("hang-after-answer", "http://"+half.addr, nil, "attempt_timeout", "300ms")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	closed.Close()
	w.webhooks("refused", "http://"+closed.Addr().String(), nil)
	w.webhooks("no-such-host", "http://no.such.invalid", nil)
	w.webhooks("bad-host", "http://no such host", nil)
	w.webhooks("bad-port", "http://127.0.0.1:99999", nil)
	w.webhooks("bad-scheme", "ftp://127.0.0.1", nil)
}

// withTLS adds webhooks that fail before the request.
func (w *setup) withTLS() {
	ca, other := sinktest.NewCA(w.t), sinktest.NewCA(w.t)
	good, expired := serverTLS(w.t, ca, "good", time.Hour), serverTLS(w.t, ca, "expired", -time.Hour)
	mutual := serverTLS(w.t, ca, "mutual", time.Hour)
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	old := serverTLS(w.t, ca, "old", time.Hour)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	h2 := serverTLS(w.t, ca, "h2", time.Hour)
	h2.NextProtos = []string{"h2"}
	handshake := func(c net.Conn) { c.(*tls.Conn).Handshake() } // fails
	cert, key := other.Issue(w.t, "client", time.Hour)
	trusted := map[string]any{"ca": ca.File}
	for name, tt := range map[string]struct {
		server *server
		client map[string]any
	}{
		"unknown-authority": {w.serve(good, handshake), map[string]any{"ca": other.File}},
		"wrong-name":        {w.serve(good, handshake), map[string]any{"ca": ca.File, "server_name": "elsewhere.example"}},
		"expired":           {w.serve(expired, handshake), trusted},
		"old-version":       {w.serve(old, handshake), trusted},
		"no-certificate":    {w.serve(mutual, handshake), trusted},
		"certificate":       {w.serve(mutual, handshake), map[string]any{"ca": ca.File, "cert": cert, "key": key}},
		"no-tls":            {w.serve(nil, onRequest(func(io.Writer, *http.Request) {})), trusted},
		"no-tls-banner":     {w.serve(nil, writes("220 mail.example ESMTP\r\n")), trusted},
		"go-away":           {w.serve(h2, goAway(strings.Join(w.allTexts(), " "))), trusted},
		"tls-echo":          {w.serve(good, status(500)), trusted},
	} {
		w.webhooks(name, "https://"+tt.server.addr, map[string]any{"tls": tt.client})
	}
	for name, answer := range map[string]http.HandlerFunc{
		"h2-echo": func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Location", requestTexts(r, 0)[0])
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, requestTexts(r, 0))
		},
		"h2-reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"h2-hang":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		w.webhooks(name, "https://"+w.serveHTTP2(good.Clone(), answer), map[string]any{"tls": trusted}, "attempt_timeout", "1s")
	}
}

// allTexts returns all planted texts.
func (w *setup) allTexts() (all []string) {
	for _, c := range w.canaries {
		all = append(all, c.Text())
	}
	return all[:min(len(all), 400)]
}

func serverTLS(t *testing.T, ca *sinktest.CA, name string, valid time.Duration) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(ca.Issue(t, name, valid))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
}

// proxied adds webhooks whose proxies fail.
func (w *setup) proxied() {
	const target = "http://receiver.example"
	n := 0
	add := func(name, url, proxy string) {
		for range len(secretSources) / 2 {
			w.webhooks(fmt.Sprintf("%s-%d", name, n), url, map[string]any{"proxy": w.proxy(proxy, secretSources[n%len(secretSources)])})
			n++
		}
	}
	add("proxy-echo", target, "http://"+w.serve(nil, status(502)).addr)
	add("proxy-connect", "https://receiver.example", "http://"+w.serve(nil, status(407)).addr)
	add("proxy-https", target, "https://"+w.serve(nil, status(502)).addr)
	add("proxy-away", target, "http://no.such.invalid:3128")
	add("proxy-refused", target, "socks5://127.0.0.1:1")
	add("proxy-garbage", target, "socks5://"+w.serve(nil, writes("HTTP/1.1 400 Bad Request\r\n\r\n")).addr)
	add("proxy-denies", target, "socks5://"+w.serve(nil, denyingSOCKS).addr)
	add("proxy-scheme", target, "gopher://127.0.0.1:70")
}

// denyingSOCKS requests the password and rejects it; see RFC 1929.
func denyingSOCKS(c net.Conn) {
	buf := make([]byte, 1024)
	if _, err := c.Read(buf); err != nil {
		return
	}
	c.Write([]byte{5, 2}) // seen by the read
	if _, err := c.Read(buf); err == nil {
		c.Write([]byte{1, 1}) // the client may have closed the connection
	}
}

// unusable adds webhooks with invalid secrets, and sinks with invalid keys.
func (w *setup) unusable() {
	for i, source := range secretSources {
		bad := func(field, text string, key string) {
			c := w.addCanary(field, "unusable", source)
			value := w.secretValue(source, strings.ReplaceAll(text, "CANARY", c.Text()))
			hook := map[string]any{"url": "http://127.0.0.1:1/"}
			switch key {
			case "headers":
				hook[key] = []any{map[string]any{"name": "X-Api-Key", "value": value}}
			case "signing_secrets":
				hook[key] = []any{value}
			case "basic":
				hook[key] = map[string]any{"user": "user", "password": value}
			default:
				hook[key] = value
			}
			w.sink(fmt.Sprintf("unusable-%d-%d", i, w.count), "webhook", hook)
		}
		bad(fieldURL, "CANARY", "url")
		bad(fieldURL, "https://example.org/#CANARY", "url")
		bad(fieldURL, "https://CANARY/", "url")
		bad(fieldURL, "https://user:12/CANARY@example.org/", "url")
		bad(fieldBearer, "CANARY\u0001", "bearer")
		bad(fieldPassword, "CANARY\nCANARY", "basic")
		bad(fieldHeader, "X-Api-Key: CANARY\r\nX: y", "headers")
		bad(fieldHeader, strings.Repeat("CANARY", 3000), "headers")
		bad(fieldSigning, "CANARY", "signing_secrets")
		bad(fieldSigning, "whsec_CANARY", "signing_secrets")
		bad(fieldProxy, "http://user:CANARY@127.0.0.1:1", "proxy")
	}
	cert, _ := sinktest.NewCA(w.t).Issue(w.t, "client", time.Hour)
	for i, form := range []string{"CANARY", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"} {
		c := w.addCanary("tls.key", "", "file")
		encoded := base64.StdEncoding.EncodeToString([]byte(c.Text()))
		key := w.write(strings.ReplaceAll(form, "CANARY", encoded), "secrets", fmt.Sprintf("key%d", i))
		tls := map[string]any{"cert": cert, "key": key}
		w.sink(fmt.Sprintf("key-webhook-%d", i), "webhook", map[string]any{"url": "https://127.0.0.1:1/", "tls": tls})
		w.sink(fmt.Sprintf("key-socket-%d", i), "socket", map[string]any{"address": "tls://127.0.0.1:1", "tls": tls})
		w.sink(fmt.Sprintf("key-syslog-%d", i), "syslog", map[string]any{"address": "tls://127.0.0.1:1", "tls": tls})
	}
}

// others adds failing sinks without a secret: a program, which must not receive the daemon's
// environment, and some whose errors contain the control.
func (w *setup) others() {
	w.sink("program", "exec", map[string]any{"argv": []string{"/bin/sh", "-c", `env | tr "\n" " " >&2; exit 1`}, "timeout": "3s"})
	argv := []string{"/bin/sh", "-c", "echo " + w.control.Word() + " >&2; exit 1"}
	w.sink("control-letters", "exec", map[string]any{"argv": argv, "timeout": "3s"})
	w.sink(w.control.Word(), "file", map[string]any{"path": "/nonexistent/" + w.control.Word()})
	w.sink("out", "stdout", map[string]any{})
	w.sink("no-journald", "journald", map[string]any{"socket": w.path("nonexistent")})
	w.sink("no-socket", "socket", map[string]any{"address": "unix://" + w.path("nonexistent")})
	w.sink("no-syslog", "syslog", map[string]any{"address": "unixgram://" + w.path("nonexistent")})
	password := url.PathEscape(w.addCanary("HTTP_PROXY", "", "env").Text())
	w.env = append(w.env, "NO_PROXY=", "HTTP_PROXY=http://user:"+password+"@no.such.invalid:1")
	w.webhooks("environment", "http://receiver.example", map[string]any{"proxy": "environment"})
}
