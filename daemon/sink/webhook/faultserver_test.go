// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
)

// A faultServer implements HTTP/1.1 without package http, so that it can send invalid responses.
type faultServer struct {
	URL string

	listener net.Listener
	tls      *tls.Config // nil: disabled
	stop     chan struct{}
	wg       sync.WaitGroup

	mu       sync.Mutex
	faults   []fault // one for each future request; later requests succeed
	got      []receivedRequest
	open     map[net.Conn]struct{}
	accepted int // connections
}

// A fault handles a request, whose body is unread, and its connection. It reports whether
// the connection continues.
type fault func(f *faultServer, c net.Conn, req *http.Request) (keep bool)

// A receivedRequest is a request that has arrived completely.
type receivedRequest struct {
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
	f := &faultServer{
		URL: "http://" + l.Addr().String(), listener: l, tls: c, stop: make(chan struct{}), faults: faults,
		open: make(map[net.Conn]struct{}),
	}
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

// closeConns closes the open connections, as a server does with idle ones.
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
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") // usually the client has disconnected
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

// recordRequest reads the rest of a request.
func (f *faultServer) recordRequest(req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, receivedRequest{req.Method + " " + req.RequestURI, req.Header, body})
}

// requests waits for n requests and fails the test if there are more.
func (f *faultServer) requests(t *testing.T, n int) (got []receivedRequest) {
	t.Helper()
	poll.Until(t, fmt.Sprint(n, " requests"), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		got = slices.Clone(f.got)
		return len(got) >= n
	})
	if len(got) > n {
		t.Fatalf("got %d requests, want %d: %v", len(got), n, got)
	}
	return got
}

func (f *faultServer) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

// waitForConnections waits until n connections are open.
func (f *faultServer) waitForConnections(t *testing.T, n int) {
	t.Helper()
	poll.Until(t, fmt.Sprint(n, " connections"), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.open) == n
	})
}
