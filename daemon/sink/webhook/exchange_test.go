// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// Only delivery repeats a request that the server may have accepted. The transport would repeat
// a request with the header Idempotency-Key on a connection that it has used before.
func TestTransportDoesNotRepeatRequests(t *testing.T) {
	acknowledged := func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.recordRequest(req)
		time.Sleep(300 * time.Millisecond) // longer than any kernel delays it
		resetConn(c)
		return false
	}
	for name, f := range map[string]fault{"closed": drop, "reset": acknowledged} {
		for _, header := range []string{"Idempotency-Key", "idempotency-key", "X-Idempotency-Key", "X-Id"} {
			t.Run(name+" "+header, func(t *testing.T) {
				f := newFaultServer(t, status(200, ""), f)
				s := newSink(t, Config{URL: value.Inline(f.URL), IdempotencyHeader: header})
				deliver(t, s, sinktest.Events(1, 1))
				if n, err := attempt(t, s, sinktest.Events(2, 1), attemptTimeout); n != 0 || err == nil {
					t.Errorf("accepted %d without a response, %v", n, err)
				}
				deliver(t, s, sinktest.Events(3, 1)) // on a connection of its own
				for i, r := range f.requests(t, 3) {
					if got, want := r.header.Get(header), sinktest.Events(i+1, 1)[0].ID(); got != want {
						t.Errorf("request %d has the id %q, want %q", i, got, want)
					}
				}
			})
		}
	}
}

// The server closes each connection when it has answered, which the sink may learn
// before, while or after it sends the next request.
func TestIdleConnectionsClosedByTheServer(t *testing.T) {
	const n = 200
	faults := make([]fault, n)
	for i := range faults {
		faults[i] = closeAfterResponse
	}
	f := newFaultServer(t, faults...)
	s := newSink(t, Config{URL: value.Inline(f.URL), IdempotencyHeader: "Idempotency-Key"})
	attempts := make(map[string]int)
	for i := 1; i <= n; i++ {
		e := sinktest.Events(i, 1)
		for accepted := 0; accepted == 0; {
			attempts[e[0].ID()]++
			accepted, _ = attempt(t, s, e, attemptTimeout)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.got {
		attempts[r.header.Get("Idempotency-Key")]--
	}
	for id, left := range attempts {
		if left < 0 {
			t.Errorf("%s was sent more often than it was tried", id)
		}
	}
}

// A server may answer before it has read the request.
func TestEarlyResponses(t *testing.T) {
	early := func(f *faultServer, c net.Conn, req *http.Request) bool {
		_, err := io.WriteString(c, "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
		f.recordRequest(req)
		return err == nil
	}
	f := newFaultServer(t, early, early, early)
	s := newSink(t, Config{URL: value.Inline(f.URL)})
	events := large()
	for range 3 {
		n, err := attempt(t, s, events, attemptTimeout)
		if n != 0 || err == nil || !strings.Contains(err.Error(), "401 Unauthorized: no") {
			t.Fatalf("accepted %d, %v", n, err)
		}
	}
	deliver(t, s, events)
}

// large returns events that exceed the buffers of every socket.
func large() []event.Event {
	events := sinktest.Events(1, 1500)
	for i := range events {
		events[i].Message = bytes.Repeat([]byte("x"), 4000)
	}
	return events
}

func TestResponseBeforeTheRequestIsSentAcceptsNothing(t *testing.T) {
	early := func(f *faultServer, c net.Conn, _ *http.Request) bool {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // the attempt reports the error
		<-f.stop
		return false
	}
	f := newFaultServer(t, early)
	s := newSink(t, Config{URL: value.Inline(f.URL)})
	if n, err := attempt(t, s, large(), attemptTimeout); n != 0 || err == nil ||
		!strings.Contains(err.Error(), "status 200 arrived before the request was sent") {
		t.Errorf("accepted %d, %v", n, err)
	}
	deliver(t, s, large())
}

// Without the whole request the server cannot have accepted it, so the request is
// repeated.
func TestIdleConnectionClosedDuringARequestIsNotAFailure(t *testing.T) {
	for name, f := range map[string]fault{
		"closed": func(*faultServer, net.Conn, *http.Request) bool { return false },
		"reset":  func(_ *faultServer, c net.Conn, _ *http.Request) bool { resetConn(c); return false },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaultServer(t, status(200, ""), f)
			s := newSink(t, Config{URL: value.Inline(f.URL)})
			deliver(t, s, sinktest.Events(1, 1))
			deliver(t, s, large())
			if got := f.connections(); got != 2 {
				t.Errorf("got %d connections, want 2", got)
			}
		})
	}
}

// A name that has moved is resolved when a connection is made.
func TestConnectionIsReplacedAtTheAgeLimit(t *testing.T) {
	for age, want := range map[time.Duration]int{0: 1, time.Hour: 1, time.Nanosecond: 5} {
		f := newFaultServer(t)
		s := newSink(t, Config{URL: value.Inline(f.URL), MaxConnectionAge: value.Duration(age)})
		for i := range 5 {
			deliver(t, s, sinktest.Events(i+1, 1))
		}
		if got := f.connections(); got != want {
			t.Errorf("with an age of %v 5 requests used %d connections, want %d", age, got, want)
		}
	}
}
