// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics"
)

// A lockedReader is the reader of a sink that cannot read the segments of the journal.
type lockedReader struct{ delivery.Reader }

func (lockedReader) Read(context.Context, []journal.Record) (int, uint64, error) {
	return 0, 0, fmt.Errorf("open segment: %w", fs.ErrPermission)
}

func (lockedReader) TryRead([]journal.Record) (int, uint64, error) {
	return 0, 0, fmt.Errorf("open segment: %w", fs.ErrPermission)
}

// A lockedCursor cannot be written.
type lockedCursor struct{ delivery.Reader }

func (c lockedCursor) Commit(last journal.Record) error {
	return errors.Join(c.Reader.Commit(last), fmt.Errorf("write cursor: %w", fs.ErrPermission))
}

// fullBox is a box of dead letters on a full disk.
type fullBox struct{ delivery.DeadLetters }

func (fullBox) Add(...deadletter.Letter) error { return errors.New("no space left on device") }

// Each row is a sink that cannot deliver any event. The other sink, "fine", is healthy.
func TestEveryFaultOfASinkIsReportedEverywhere(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer refusing.Close()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not noticed
		<-r.Context().Done()
	}))
	defer hanging.Close()
	untrusted := httptest.NewUnstartedServer(nil) // its authority is not known
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	address, distrust := untrusted.Listener.Addr().String(), "failed to verify certificate"
	refused := "webhook: {url: '" + refusing.URL + "'}"
	lockReader := func(c *delivery.Config) { c.Reader = lockedReader{c.Reader} }
	lockCursor := func(c *delivery.Config) { c.Reader = lockedCursor{c.Reader} }
	fillBox := func(c *delivery.Config) { c.Letters = fullBox{c.Letters} }
	tests := map[string]struct {
		sink   string
		breaks func(*delivery.Config)
		reason string
		text   string
	}{
		"a server that is down":     {"webhook: {url: 'http://127.0.0.1:1/'}", nil, metrics.FaultAttempt, "connection refused"},
		"a server that rejects all": {refused, nil, metrics.FaultRefused, "400 Bad Request"},
		"a server that hangs": {
			"attempt_timeout: 100ms, webhook: {url: '" + hanging.URL + "'}", nil, metrics.FaultTimeout, "no answer within 100ms (attempt_timeout)",
		},
		"untrusted by webhook": {"webhook: {url: '" + untrusted.URL + "'}", nil, metrics.FaultCertificate, distrust},
		"untrusted by redis":   {"redis: {address: 'rediss://" + address + "', stream: s}", nil, metrics.FaultCertificate, distrust},
		"untrusted by amqp": {
			"amqp: {addresses: ['amqps://" + address + "'], exchange: e}", nil, metrics.FaultCertificate, distrust,
		},
		"untrusted by syslog":             {"syslog: {address: 'tls://" + address + "'}", nil, metrics.FaultCertificate, distrust},
		"a program that is missing":       {"exec: {argv: [/bin/sh, -c, exec no-such-program]}", nil, metrics.FaultRefused, "exit status 127"},
		"a journal that cannot be read":   {"stdout: {}", lockReader, metrics.FaultJournal, "permission denied"},
		"a cursor that cannot be written": {"stdout: {}", lockCursor, metrics.FaultCursor, "permission denied"},
		"a full disk of dead letters":     {refused, fillBox, metrics.FaultDeadLetters, "no space left on device"},
		"records that are not decoded": {"stdout: {}", func(c *delivery.Config) {
			c.Decode = func(journal.Record) (event.Event, error) { return event.Event{}, errors.New("no event") }
		}, metrics.FaultDecode, "no event"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fine := "- {name: fine, file: {path: " + t.TempDir() + "/out}}\n"
			yaml := listenAnywhere + "shutdown: {drain: 0}\nsinks:\n" + fine + "- {name: bad, " + tt.sink + "}\n"
			f := startBroken(t, yaml, "bad", tt.breaks)
			for range 3 {
				f.kernel.event("hello")
			}
			poll.Until(t, "the sink is unhealthy", func() bool { return len(sinkState(t, f, "bad").Faults) > 0 })
			poll.Until(t, "the other sink has the events", func() bool { return sinkState(t, f, "fine").Delivered == 3 })
			code, page := f.get(t, "/readyz")
			if line := "sink bad: " + tt.reason + ": "; code != http.StatusServiceUnavailable || !containsAll(page, line, tt.text) {
				t.Errorf("/readyz is %d and does not contain %q with %q:\n%s", code, line, tt.text, page)
			}
			status := f.statusLine()
			if !strings.HasPrefix(status, "DEGRADED: ") || !containsAll(status, "1 failing", "(bad: "+tt.reason+": ") {
				t.Errorf("status %q", status)
			}
			_, scrape := f.get(t, "/metrics")
			for _, want := range []string{
				`genltestd_sink_healthy{sink="bad"} 0`, `genltestd_sink_healthy{sink="fine"} 1`,
				`genltestd_sink_fault{reason="` + tt.reason + `",sink="bad"} 1`,
			} {
				if !strings.Contains(scrape, want) {
					t.Errorf("the metrics do not contain %s", want)
				}
			}
		})
	}
}

// containsAll reports whether a text contains all parts.
func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// startBroken runs a daemon in which breaks changes the dependencies of the worker of a sink.
func startBroken(t *testing.T, yaml, sink string, breaks func(*delivery.Config)) fixture {
	t.Helper()
	k := newKernel()
	f := create(t, parse(t, yaml), Options{Kernel: k, Echo: prober{}})
	f.kernel = k
	if breaks != nil {
		w := f.pipelines.Of(sink)
		breaks(&w.Config)
		w.Worker = delivery.NewWorker(w.Config)
	}
	f.run(t)
	return f
}

func TestDocumentationListsEveryReasonOfAFault(t *testing.T) {
	page, err := os.ReadFile("../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	row, inTable := regexp.MustCompile("^\\| `([a-z_]+)` \\|"), false
	for line := range strings.Lines(string(page)) {
		switch m := row.FindStringSubmatch(line); {
		case m == nil:
			inTable = inTable && strings.HasPrefix(line, "|")
		case m[1] == "reason":
			inTable = true
		case inTable:
			got = append(got, m[1])
		}
	}
	if diff := cmp.Diff(append(metrics.FamilyReasons(), metrics.FaultReasons()...), got); diff != "" {
		t.Errorf("reasons in docs/health.md (-want +got):\n%s", diff)
	}
}

func TestReportedErrorIsOneLineOfLimitedLength(t *testing.T) {
	for text, want := range map[string]string{
		"one\ntwo":                `one; two`,
		"\x1b[2J":                 `\x1b[2J`,
		strings.Repeat("ä", 50):   strings.Repeat("ä", 8) + "...",
		strings.Repeat("x", 1000): strings.Repeat("x", 17) + "...",
	} {
		if got := oneLine(errors.New(text), 20); got != want {
			t.Errorf("%.20q is shown as %q, want %q", text, got, want)
		}
	}
}
