// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// TestMain fails on leaked goroutines, except while fuzzing, which leaves its own.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// attemptTimeout is much longer than a correct answer needs, even on a busy machine.
const attemptTimeout = 20 * time.Second

// attempt makes one attempt, which must end despite the fault. An endless fault has a shorter
// limit.
func attempt(t *testing.T, s *Sink, events []event.Event, limit time.Duration) (int, error) {
	t.Helper()
	watchdog := time.AfterFunc(3*attemptTimeout, func() { panic("Deliver hangs") })
	defer watchdog.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return s.Deliver(ctx, events)
}

func deliver(t *testing.T, s *Sink, events []event.Event) {
	t.Helper()
	if n, err := attempt(t, s, events, attemptTimeout); n != len(events) || err != nil {
		t.Fatalf("accepted %d of %d: %v", n, len(events), err)
	}
}

// deliverWithRetries retries, because the sink may not have detected yet that the server has closed the
// connection.
func deliverWithRetries(t *testing.T, s *Sink, events []event.Event) {
	t.Helper()
	if n, err := attempt(t, s, events, attemptTimeout); n != len(events) || err != nil {
		deliver(t, s, events)
	}
}

// The meaning of each answer and of each fault; the next attempt succeeds when the server
// has recovered.
func TestFaults(t *testing.T) {
	const n = 5
	short := 300 * time.Millisecond
	date := "Retry-After: " + time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat)
	tests := []struct {
		name     string
		fault    fault
		limit    time.Duration // attemptTimeout when 0
		success  bool
		poisoned int
		delay    time.Duration
		want     string // in the error
	}{
		{"200", status(200, "ok"), 0, true, 0, 0, ""},
		{"202", status(202, ""), 0, true, 0, 0, ""},
		{"204", raw("HTTP/1.1 204 No Content\r\n\r\n"), 0, true, 0, 0, ""},
		{"early hints", raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 0, true, 0, 0, ""},
		{"300", status(300, ""), 0, false, 0, 0, "300 Multiple Choices"},
		{
			"301", status(301, "", "Location: http://u:p@elsewhere.example/a?b=c#d"), 0, false, 0, 0,
			"not followed, to http://elsewhere.example/a",
		},
		{"307", status(307, "", "Location: /there"), 0, false, 0, 0, "/there"},
		{"308 to nowhere", status(308, "", "Location: %zz"), 0, false, 0, 0, "308 Permanent Redirect"},
		{"400", status(400, "no such field"), 0, false, n, 0, "400 Bad Request: no such field"},
		{"401", status(401, ""), 0, false, 0, 0, "401 Unauthorized"},
		{"403", status(403, ""), 0, false, 0, 0, "403 Forbidden"},
		{"404", status(404, ""), 0, false, 0, 0, "404 Not Found"},
		{"408", status(408, ""), 0, false, 0, 0, "408"},
		{"409", status(409, ""), 0, false, 0, 0, "409 Conflict"},
		{"410", status(410, ""), 0, false, 0, 0, "410 Gone"},
		{"413", status(413, ""), 0, false, n, 0, "413"},
		{"413 for now", status(413, "", "Retry-After: 9"), 0, false, 0, 9 * time.Second, "413"},
		{"422", status(422, ""), 0, false, n, 0, "422"},
		{"425", status(425, ""), 0, false, 0, 0, "425 Too Early"},
		{"429", status(429, ""), 0, false, 0, 0, "429"},
		{"429 seconds", status(429, "", "Retry-After: 7"), 0, false, 0, 7 * time.Second, "429"},
		{"429 date", status(429, "", date), 0, false, 0, time.Hour, "429"},
		{"500", status(500, "oops\x1b[2J\r\n"), 0, false, 0, 0, `500 Internal Server Error: oops\x1b[2J`},
		{"502", status(502, ""), 0, false, 0, 0, "502"},
		{"503", status(503, "", "Retry-After: 120"), 0, false, 0, 2 * time.Minute, "503 Service Unavailable"},
		{"504", status(504, ""), 0, false, 0, 0, "504"},
		{"799", status(799, ""), 0, false, 0, 0, "799"},
		{"reset", reset, 0, false, 0, 0, ""},
		{"reset after the request", resetLate, 0, false, 0, 0, ""},
		{"closed without an answer", drop, 0, false, 0, 0, "EOF"},
		{"half-closed", halfClose, 0, false, 0, 0, "EOF"},
		{"garbage", raw("\x15\x03\x01\x00\x02\x02\x28\x1b[2J\r\n\r\n"), 0, false, 0, 0, "malformed HTTP"},
		{"banner of another service", raw("220 mail.example ESMTP\r\n"), 0, false, 0, 0, "malformed HTTP"},
		{"echo", echo, 0, false, 0, 0, "malformed HTTP"},
		{"status without digits", raw("HTTP/1.1 two OK\r\n\r\n"), 0, false, 0, 0, "malformed HTTP"},
		{"header cut", raw("HTTP/1.1 200 OK\r\nContent-Le"), 0, false, 0, 0, "malformed MIME header"},
		{"body cut", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"), 0, false, 0, 0, "status 200 broke off"},
		{"chunk cut", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello"), 0, false, 0, 0, "status 200 broke off"},
		{"no length", raw("HTTP/1.1 200 OK\r\n\r\nuntil the end"), 0, true, 0, 0, ""},
		{"hang", hang, short, false, 0, 0, ""},
		{"slow header", slow("HTTP/1.1 200 OK\r\nX-A: ", "a"), short, false, 0, 0, ""},
		{"slow body", slow("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "a"), short, false, 0, 0, "status 200 broke off"},
		{
			"slow refusal", slow("HTTP/1.1 400 Bad Request\r\nContent-Length: 100000\r\n\r\n", "a"), short, false, 0, 0,
			"status 400 broke off",
		},
		{"endless body", endless("HTTP/1.1 200 OK\r\n\r\n"), 0, true, 0, 0, ""},
		{"endless refusal", endless("HTTP/1.1 500 Oops\r\n\r\n"), 0, false, 0, 0, "500 Internal Server Error: xxxx"},
		{"endless header", endless("HTTP/1.1 200 OK\r\nX-A: "), 0, false, 0, 0, "exceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFaultServer(t, tt.fault)
			s := newSink(t, Config{URL: value.Inline(f.URL + "/in?a=b")})
			if tt.limit == 0 {
				tt.limit = attemptTimeout
			}
			accepted, err := attempt(t, s, sinktest.Events(1, n), tt.limit)
			if tt.success != (err == nil) || tt.success != (accepted == n) || !tt.success && accepted != 0 {
				t.Fatalf("accepted %d of %d: %v", accepted, n, err)
			}
			if got := sink.Poisoned(err); got != tt.poisoned {
				t.Errorf("%d are poisoned, want %d: %v", got, tt.poisoned, err)
			}
			if got := sink.RefusalOf(err); tt.poisoned > 0 &&
				(got.Kind != sink.RefusedHTTPStatus || !strings.Contains(err.Error(), fmt.Sprint(got.Status))) {
				t.Errorf("refusal %+v of %v", got, err)
			}
			if got := sink.RetryDelay(err); got != tt.delay {
				t.Errorf("retry after %v, want %v", got, tt.delay)
			}
			if err != nil {
				checkText(t, err, f.URL, tt.want)
			}
			if tt.limit == short && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not report the timeout", err)
			}
			deliverWithRetries(t, s, sinktest.Events(1, n))
		})
	}
}

func checkText(t *testing.T, err error, url, want string) {
	t.Helper()
	text := err.Error()
	if !strings.HasPrefix(text, "POST "+url+": ") || !strings.Contains(text, want) {
		t.Errorf("the error is %q, want %q in it", text, want)
	}
	if !event.IsVisible([]byte(text)) || len(text) > 700 || strings.Contains(text, "/in") || strings.Contains(text, "b=c") {
		t.Errorf("the error contains too much: %q", text)
	}
}

func TestConnectionIsReused(t *testing.T) {
	f := newFaultServer(t, status(200, strings.Repeat("x", 1000)), status(400, "no"), status(429, "slowly"))
	s := newSink(t, Config{URL: value.Inline(f.URL)})
	for i := range 10 {
		_, _ = attempt(t, s, sinktest.Events(i, 3), attemptTimeout) // some are refused
	}
	f.requests(t, 10)
	if got := f.connections(); got != 1 {
		t.Errorf("10 requests used %d connections", got)
	}
}

// The next connection may lead to another server.
func TestConnectionIsNotReusedAfterAServerError(t *testing.T) {
	f := newFaultServer(t, status(503, ""), status(421, ""))
	s := newSink(t, Config{URL: value.Inline(f.URL)})
	for i := range 4 {
		_, _ = attempt(t, s, sinktest.Events(i, 3), attemptTimeout) // some are refused
	}
	if got := f.connections(); got != 3 {
		t.Errorf("got %d connections, want 3", got)
	}
}

func TestUnreachableServer(t *testing.T) {
	f := newFaultServer(t)
	f.listener.Close()
	for url, want := range map[string]string{
		f.URL:                       "connection refused",
		"http://no.such.invalid/in": "no.such.invalid",
	} {
		s := newSink(t, Config{URL: value.Inline(url)})
		n, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout)
		if n != 0 || err == nil || sink.Poisoned(err) != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: accepted %d, %v", url, n, err)
		}
	}
}

func TestConnectionsAreClosedAfterAFailureAndAfterClose(t *testing.T) {
	f := newFaultServer(t, hang, status(200, ""))
	s := newSink(t, Config{URL: value.Inline(f.URL)})
	if _, err := attempt(t, s, sinktest.Events(1, 1), 100*time.Millisecond); err == nil {
		t.Fatal("the request succeeded")
	}
	f.waitForConnections(t, 0)
	deliver(t, s, sinktest.Events(1, 1))
	f.waitForConnections(t, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	f.waitForConnections(t, 0)
}
