// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// A hookServer answers with a status, and stores the bodies.
type hookServer struct {
	*httptest.Server
	status atomic.Int64

	mu     sync.Mutex
	bodies []string
}

func newHookServer(t *testing.T) *hookServer {
	t.Helper()
	s := &hookServer{}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the client has sent all of it
		s.mu.Lock()
		s.bodies = append(s.bodies, string(body))
		s.mu.Unlock()
		w.WriteHeader(int(s.status.Load()))
	}))
	t.Cleanup(s.Close)
	return s
}

// tests returns the texts of the received test events.
func (s *hookServer) tests() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, body := range s.bodies {
		if strings.HasPrefix(body, "test ") {
			list = append(list, body)
		}
	}
	return list
}

var testID = regexp.MustCompile(`-0-test-[0-9a-f]{16}$`)

// An operator tests a destination while its sink delivers, fails and is paused. The
// destination receives the event with the template of the sink, and nothing else changes.
func TestAnOperatorTestsASink(t *testing.T) {
	server, log := newHookServer(t), &syncbuffer.Buffer{}
	file := filepath.Join(t.TempDir(), "events.jsonl")
	yaml := listenAnywhere + "shutdown: {drain: 0}\nevent: {host: web-1, labels: {site: berlin}}\nsinks:\n" +
		"- {name: hook, retry_min: 1h, retry_max: 1h, filter: 'message contains \"disk\"', extract: '(?P<disk>sd[a-z])',\n" +
		"   envelope: template, template: '{{.Kind}} {{.Host}} {{.Family}} {{.Group}} {{.Labels.site}} [{{.Captures.disk}}] {{.Text}}',\n" +
		"   webhook: {batch: none, url: '" + server.URL + "'}}\n" +
		"- {name: archive, file: {path: " + file + "}}\n"
	kernel := newKernel()
	f := launch(t, parse(t, yaml), Options{Kernel: kernel, Echo: prober{}, Log: slog.New(slog.NewTextHandler(log, nil))})
	f.ready(t)
	c, ctx := f.client(), t.Context()
	const received = "test web-1 genltest mcgrp berlin [] genltestd: an operator tests the sink hook"
	state := func() api.Sink {
		s := sinkOf(t, f.statusOver(t), "hook")
		s.BehindS = 0 // it grows
		return s
	}
	test := func(when, outcome, fault string) {
		t.Helper()
		before, n, last := state(), len(server.tests()), f.journal.Stats().Last
		got, err := c.Test(ctx, "hook")
		if err != nil || got.Sink != "hook" || got.Outcome != outcome || !strings.Contains(got.Error, fault) ||
			(got.Error == "") != (fault == "") || !testID.MatchString(got.ID) || got.Seconds <= 0 {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
		if tests := server.tests(); len(tests) != n+1 || tests[n] != received {
			t.Errorf("%s: the destination has received %q", when, tests[n:])
		}
		if diff := cmp.Diff(before, state()); diff != "" || f.journal.Stats().Last != last {
			t.Errorf("%s: state (-before +after):\n%s", when, diff)
		}
		if !strings.Contains(log.String(), `msg="an operator tested a sink"`) || !strings.Contains(log.String(), "id="+got.ID) {
			t.Errorf("%s: log %s", when, log)
		}
	}

	test("idle", api.TestAccepted, "")
	server.status.Store(http.StatusServiceUnavailable)
	kernel.event("disk sda failed")
	poll.Until(t, "the sink retries", func() bool { return state().State == api.SinkRetrying })
	test("failing", api.TestFailed, "503 Service Unavailable")
	server.status.Store(http.StatusBadRequest)
	test("refused", api.TestRefused, "400 Bad Request")
	server.status.Store(http.StatusOK)
	test("repaired", api.TestAccepted, "")
	if _, err := c.Pause(ctx, "hook"); err != nil {
		t.Fatal(err)
	}
	test("paused", api.TestAccepted, "")
	if _, err := c.Resume(ctx, "hook"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "delivery of the event", func() bool { return sinkState(t, f, "hook").Delivered == 1 })

	got, err := c.Test(ctx, "archive")
	if err != nil || got.Outcome != api.TestAccepted {
		t.Fatalf("%+v, %v", got, err)
	}
	wantTestInFile(t, file, got.ID)
	var refused *api.Error
	_, err = c.Explain(ctx, got.ID, "")
	const why = "a test of a sink is not in the journal"
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound || !strings.Contains(err.Error(), why) {
		t.Errorf("explain: %v", err)
	}
	if _, err := c.Test(ctx, "none"); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("test of an unknown sink: %v", err)
	}
}

// wantTestInFile checks the last line of a file of events.
func wantTestInFile(t *testing.T, file, id string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var e struct {
		ID, Kind, Host, Family string
		Seq                    uint64
		Message                *string
		KernelSeq              *uint64 `json:"kernel_seq"`
		Test                   struct{ Sink string }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	if e.ID != id || e.Kind != "test" || e.Host != "web-1" || e.Family != "genltest" || e.Seq != 0 || e.Message != nil || e.KernelSeq != nil ||
		e.Test.Sink != "archive" {
		t.Errorf("the file ends with %s", lines[len(lines)-1])
	}
}

// A test neither hangs nor loses its answer when a reload removes the sink, or the daemon stops.
func TestAReloadAndAStopAnswerATest(t *testing.T) {
	hang, arrived := make(chan struct{}), make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(hang)
	sinkOn := func(name string) string {
		return "- {name: " + name + ", attempt_timeout: 1h, webhook: {url: '" + server.URL + "'}}\n"
	}
	yaml := listenAnywhere + "shutdown: {drain: 0}\nsinks:\n" + sinkOn("kept")
	r := startReloadable(t, yaml+sinkOn("removed"))
	r.ready(t)
	results := map[string]chan error{}
	for _, name := range []string{"kept", "removed"} {
		results[name] = make(chan error, 1)
		go func() {
			got, err := r.client().Test(t.Context(), name)
			if err == nil && !strings.Contains(got.Error, "aborted") {
				err = errors.New(got.Outcome + ": " + got.Error)
			}
			results[name] <- err
		}()
	}
	<-arrived
	<-arrived
	r.mustReload(t, yaml)
	if err := <-results["removed"]; err != nil {
		t.Errorf("removed: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-results["kept"]; err != nil {
		t.Errorf("stopped: %v", err)
	}
}
