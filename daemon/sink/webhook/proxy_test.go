// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A proxy accepts CONNECT and requests with absolute URLs, or speaks SOCKS5.
type proxy struct {
	used     atomic.Int32
	password string // for the user "u"
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+p.password))
	if r.Header.Get("Proxy-Authorization") != want {
		w.WriteHeader(http.StatusProxyAuthRequired)
		io.WriteString(w, "not "+r.Header.Get("Proxy-Authorization")) // the client may have disconnected
		return
	}
	p.used.Add(1)
	if r.Method == http.MethodConnect {
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n") // the client may have disconnected
		pipe(client, r.Host)
		return
	}
	r.RequestURI = ""
	r.Header.Del("Proxy-Authorization")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
}

// pipe passes bytes on until either side ends.
func pipe(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	var wg sync.WaitGroup
	for _, direction := range [][2]net.Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			io.Copy(direction[0], direction[1]) // the end of the tunnel
			direction[0].Close()
		})
	}
	wg.Wait()
}

// socks5 serves RFC 1928 with the user and password of RFC 1929 to one client after
// the other.
func (p *proxy) socks5(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r := bufio.NewReader(c)
		field := func() []byte {
			n, _ := r.ReadByte()
			text := make([]byte, n)
			io.ReadFull(r, text) // the next read reports the error
			return text
		}
		r.ReadByte()          // version
		field()               // methods
		c.Write([]byte{5, 2}) // user and password
		r.ReadByte()          // version
		user, password := field(), field()
		if string(user) != "u" || string(password) != p.password {
			c.Write([]byte{1, 1}) // refused
			c.Close()
			continue
		}
		c.Write([]byte{1, 0})                         // welcome
		head := make([]byte, 4+4+2)                   // connect to an IPv4 address
		io.ReadFull(r, head)                          // seen by the dial
		c.Write(make([]byte, 0, 10))                  // nothing
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) // done
		p.used.Add(1)
		address := net.TCPAddr{IP: head[4:8], Port: int(head[8])<<8 | int(head[9])}
		pipe(c, address.String())
	}
}

func TestProxies(t *testing.T) {
	const password = "canary-proxy-4711"
	ca := sinktest.NewCA(t)
	c := serverConfig(t, ca, "server", time.Hour, false)
	plain, secure := newFaultServer(t), newTLSServer(t, c)
	p := &proxy{password: password}
	overHTTP := httptest.NewServer(p)
	overTLS := httptest.NewUnstartedServer(p)
	overTLS.TLS = c
	overTLS.StartTLS()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.socks5(l) })
	t.Cleanup(func() { overHTTP.Close(); overTLS.Close(); l.Close(); wg.Wait() })

	for _, proxyURL := range []string{overHTTP.URL, overTLS.URL, "socks5://" + l.Addr().String()} {
		for _, url := range []string{plain.URL, secure.URL} {
			scheme, host, _ := strings.Cut(proxyURL, "://")
			t.Run(scheme+" to "+url[:strings.Index(url, ":")], func(t *testing.T) {
				before := p.used.Load()
				file := t.TempDir() + "/proxy"
				write(t, file, scheme+"://u:"+password+"@"+host+"\n")
				s := newSink(t, Config{URL: value.Inline(url), Proxy: value.Secret{File: file}, TLS: sinktest.TLS(ca.File, "", "")})
				deliver(t, s, sinktest.Events(1, 2))
				deliver(t, s, sinktest.Events(3, 2))
				if p.used.Load() == before {
					t.Error("the proxy was bypassed")
				}
				write(t, file, scheme+"://u:canary-wrong-4711@"+host+"\n")
				n, err := attempt(t, s, sinktest.Events(5, 2), attemptTimeout)
				if n != 0 || err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "Basic dT") {
					t.Errorf("accepted %d, %v", n, err)
				}
				s.Close()
			})
		}
	}
}

// The sink uses the environment only if it is configured to.
func TestProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://u:canary-env-4711@proxy.invalid:3128")
	t.Setenv("NO_PROXY", "")
	f := newFaultServer(t)
	deliver(t, newSink(t, Config{URL: value.Inline(f.URL)}), sinktest.Events(1, 1))
	s := newSink(t, Config{URL: value.Inline("http://elsewhere.invalid/in"), Proxy: value.Inline(proxyEnvironment)})
	_, err := attempt(t, s, sinktest.Events(1, 1), attemptTimeout)
	if err == nil || !strings.Contains(err.Error(), "proxy.invalid") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}
