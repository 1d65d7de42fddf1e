// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// A faultServer speaks HTTP/1.1 by hand, so that it can answer as no server should.
type faultServer struct {
	URL string

	listener net.Listener
	tls      *tls.Config // nil for none
	stop     chan struct{}
	wg       sync.WaitGroup

	mu       sync.Mutex
	faults   []fault // one for each request to come; after the last all is well
	got      []gotRequest
	open     map[net.Conn]struct{}
	accepted int // connections
}

// A fault is given a request, unread from its body on, and the connection; it says
// whether the connection goes on.
type fault func(f *faultServer, c net.Conn, req *http.Request) (keep bool)

// A gotRequest is one that has arrived whole.
type gotRequest struct {
	line   string
	header http.Header
	body   []byte
}

func newFaultServer(t *testing.T, faults ...fault) *faultServer {
	return startFaultServer(t, nil, faults...)
}

func startFaultServer(t *testing.T, c *tls.Config, faults ...fault) *faultServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faultServer{URL: "http://" + l.Addr().String(), listener: l, tls: c, stop: make(chan struct{}), faults: faults, open: make(map[net.Conn]struct{})}
	if c != nil {
		f.URL = "https://" + l.Addr().String()
	}
	f.wg.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

func (f *faultServer) close() {
	close(f.stop)
	f.listener.Close()
	f.closeConns()
	f.wg.Wait()
}

// closeConns closes those that are open, as a server does with idle ones.
func (f *faultServer) closeConns() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
}

func (f *faultServer) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.open[c] = struct{}{}
		f.accepted++
		f.mu.Unlock()
		f.wg.Go(func() {
			defer func() {
				c.Close()
				f.mu.Lock()
				delete(f.open, c)
				f.mu.Unlock()
			}()
			f.serve(c)
		})
	}
}

func (f *faultServer) serve(c net.Conn) {
	if f.tls != nil {
		c = tls.Server(c, f.tls)
	}
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") //nolint:errcheck // most often the client has gone
			return
		}
		if keep := f.next()(f, c, req); !keep {
			return
		}
	}
}

func (f *faultServer) next() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) == 0 {
		return status(http.StatusOK, "")
	}
	next := f.faults[0]
	f.faults = f.faults[1:]
	return next
}

// take reads the rest of a request.
func (f *faultServer) take(req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, gotRequest{req.Method + " " + req.RequestURI, req.Header, body})
}

// requests waits for n requests and fails the test if there are more.
func (f *faultServer) requests(t *testing.T, n int) []gotRequest {
	t.Helper()
	for range 1000 {
		f.mu.Lock()
		got := slices.Clone(f.got)
		f.mu.Unlock()
		if len(got) > n {
			t.Fatalf("got %d requests, want %d: %v", len(got), n, got)
		}
		if len(got) == n {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d requests have not come", n)
	return nil
}

func (f *faultServer) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

// waitForConnections waits until n are open.
func (f *faultServer) waitForConnections(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		f.mu.Lock()
		open := len(f.open)
		f.mu.Unlock()
		if open == n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there are never %d connections", n)
}

// status answers as it should, with header lines and a body.
func status(code int, body string, header ...string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.take(req)
		var b bytes.Buffer
		fmt.Fprintf(&b, "HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n", code, len(body))
		for _, line := range header {
			b.WriteString(line + "\r\n")
		}
		b.WriteString("\r\n" + body)
		_, err := c.Write(b.Bytes())
		return err == nil
	}
}

// raw writes text after the request, whatever it is, and closes.
func raw(text string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.take(req)
		io.WriteString(c, text) //nolint:errcheck // the client may have had enough
		return false
	}
}

// echo sends the request back in place of a response, as a port of another service
// might.
func echo(f *faultServer, c net.Conn, req *http.Request) bool {
	req.Write(c) //nolint:errcheck // the client may have had enough
	return false
}

// reset answers the beginning of a request with a TCP reset.
func reset(_ *faultServer, c net.Conn, _ *http.Request) bool {
	resetConn(c)
	return false
}

// resetLate does so when the whole request has arrived.
func resetLate(f *faultServer, c net.Conn, req *http.Request) bool {
	f.take(req)
	resetConn(c)
	return false
}

func resetConn(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.(*net.TCPConn).SetLinger(0) //nolint:errcheck // without it the end is orderly, and another fault
}

// drop closes in order when the whole request has arrived, without an answer.
func drop(f *faultServer, _ net.Conn, req *http.Request) bool {
	f.take(req)
	return false
}

// halfClose says that nothing more will come, and goes on reading.
func halfClose(f *faultServer, c net.Conn, req *http.Request) bool {
	f.take(req)
	if t, ok := c.(*net.TCPConn); ok {
		t.CloseWrite()
	}
	io.Copy(io.Discard, c) //nolint:errcheck // until the client closes
	return false
}

// hang takes the request and says nothing until the client gives up.
func hang(f *faultServer, c net.Conn, req *http.Request) bool {
	f.take(req)
	io.Copy(io.Discard, c) //nolint:errcheck // until the client closes
	return false
}

// slow writes text a byte at a time, for ever.
func slow(head, text string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.take(req)
		if _, err := io.WriteString(c, head); err != nil {
			return false
		}
		for i := 0; ; i++ {
			select {
			case <-f.stop:
				return false
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
				return false
			}
		}
	}
}

// endless writes a response that does not end, as fast as it can.
func endless(head string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.take(req)
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		_, err := io.WriteString(c, head)
		for ; err == nil; _, err = c.Write(chunk) {
			if f.stopped() {
				return false
			}
		}
		return false
	}
}

func (f *faultServer) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// closeAfter answers well, and closes the connection without having said so.
func closeAfter(f *faultServer, c net.Conn, req *http.Request) bool {
	status(http.StatusOK, "")(f, c, req)
	return false
}
