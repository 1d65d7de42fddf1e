// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// A server answers every connection with a fault.
type server struct {
	addr      string
	requested atomic.Int64
}

// serve starts a server on the loopback address, with TLS unless c is nil. Its connections
// end with the test.
func (w *setup) serve(c *tls.Config, fault func(net.Conn)) *server {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	s := &server{addr: l.Addr().String()}
	w.servers = append(w.servers, s)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.requested.Add(1)
			w.t.Cleanup(func() { conn.Close() })
			peer := conn
			if c != nil {
				peer = tls.Server(conn, c)
			}
			go func() {
				defer peer.Close()
				fault(peer)
			}()
		}
	}()
	return s
}

// onRequest answers a request after reading it completely.
func onRequest(answer func(io.Writer, *http.Request)) func(net.Conn) {
	return func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body) // the client may have closed the connection
		answer(c, r)
	}
}

// requestTexts returns the contents of a request in the forms in which servers repeat them. The order
// varies, because an error shows only the beginning.
func requestTexts(r *http.Request, first int) []string {
	texts := []string{r.RequestURI, r.URL.Path, r.URL.RawQuery, fmt.Sprintf("%q", r.URL.Query())}
	for _, name := range []string{"Authorization", "X-Api-Key", "Proxy-Authorization"} {
		for _, v := range r.Header.Values(name) {
			quoted, _ := json.Marshal(v)
			texts = append(texts, v, name+": "+v, v[:len(v)*2/3], v[len(v)/3:], strings.ToUpper(v), strings.ToLower(v),
				fmt.Sprintf("%q %x", v, v), string(quoted), html.EscapeString(v), strings.ReplaceAll(v, "/", `\/`),
				url.QueryEscape(v), url.PathEscape(v), base64.StdEncoding.EncodeToString([]byte(v)),
				base64.URLEncoding.EncodeToString([]byte("{"+name+": "+v)))
		}
	}
	first %= len(texts)
	return slices.Concat(texts[first:], texts[:first])
}

// status answers with a status, and repeats the request wherever possible.
func status(code int) func(net.Conn) {
	var requestNumber atomic.Int64
	return onRequest(func(w io.Writer, r *http.Request) {
		texts := requestTexts(r, int(requestNumber.Add(1)))
		body := strings.Join(texts, "\n")
		fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n", code, texts[0], len(body))
		for i, name := range []string{"Location", "Retry-After", "WWW-Authenticate", "Warning", "Set-Cookie", "X-Repeated", "Content-Type"} {
			fmt.Fprintf(w, "%s: %s\r\n", name, texts[i%len(texts)])
		}
		fmt.Fprintf(w, "\r\n%s", body)
	})
}

// raw answers with a text. Each %s in it is replaced by a part of the request, a different one
// each time.
func raw(format string) func(net.Conn) {
	var requestNumber atomic.Int64
	return onRequest(func(w io.Writer, r *http.Request) {
		texts := requestTexts(r, int(requestNumber.Add(1)))
		for i, piece := range strings.Split(format, "%s") {
			if i > 0 {
				io.WriteString(w, texts[i%len(texts)]) // the client may have closed the connection
			}
			io.WriteString(w, piece) // the client may have closed the connection
		}
	})
}

// writes sends a text to each client, which may have closed the connection.
func writes(text string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, text) }
}

// serveHTTP2 starts a correct HTTP/2 server, and returns its address.
func (w *setup) serveHTTP2(c *tls.Config, answer http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(answer)
	s.TLS, s.EnableHTTP2 = c, true
	s.StartTLS()
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// goAway ends an HTTP/2 connection with a text of the server.
func goAway(text string) func(net.Conn) {
	return func(c net.Conn) {
		preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		if _, err := io.ReadFull(c, preface); err != nil {
			return
		}
		frame := func(kind byte, payload string) {
			// The client may have closed the connection.
			c.Write(append([]byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, 0, 0, 0, 0, 0}, payload...))
		}
		const settings, away = 4, 7
		frame(settings, "")
		frame(away, "\x00\x00\x00\x00\x00\x00\x00\x0b"+text) // no stream was processed; ENHANCE_YOUR_CALM
		io.Copy(io.Discard, c)                               // until the client closes it
	}
}
