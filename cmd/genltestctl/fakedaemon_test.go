// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// fakeDaemon is a daemon's dead letters in memory.
type fakeDaemon struct {
	mu       sync.Mutex
	letters  map[string][]api.Letter // by sink
	requests []string                // requested changes of letters
	waiting  uint64                  // letters to replay; after a replay, each request for the boxes decreases it
	refusal  error                   // of a reload
	slow     time.Duration           // of a reload
	config   string                  // in use
	files    string                  // configuration of the files
	faults   error                   // of the files
	level    string                  // of the log
	canary   api.Canary              // the last one
}

var canaryTime = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func newFakeDaemon() *fakeDaemon {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	letter := func(n int, text string) api.Letter {
		e, _ := json.Marshal(map[string]any{"id": fmt.Sprintf("6a9155caa46c7dcc-%d", n), "kind": "event", "message": text})
		return api.Letter{
			ID: fmt.Sprintf("6a9155caa46c7dcc-%d", n), Received: at, Refused: at.Add(time.Second),
			Attempts: n, Reason: "400 Bad Request: no", Kind: "http_status", Status: 400, Event: e,
		}
	}
	gap := letter(3, "")
	gap.Event = json.RawMessage(`{"id":"6a9155caa46c7dcc-3","kind":"gap","gap":{"count":17}}`)
	unknown := letter(4, "")
	unknown.Event = json.RawMessage(`{"id":"6a9155caa46c7dcc-4","error":"no event","record_base64":"AA=="}`)
	bad := letter(2, "")
	bad.Event = json.RawMessage(`{"kind":"event","message":"\ufffd","message_base64":"gRs="}`)
	bad.Reason, bad.Kind, bad.Status = hostile, "", 0 // as stored by an older version
	canary := api.Canary{Sinks: []api.CanarySink{
		{Sink: "hook", LatencySeconds: 0.00123}, {Sink: hostile, Reached: true, LatencySeconds: 61.5},
	}}
	letters := map[string][]api.Letter{"hook": {letter(1, "hello "+hostile), bad, gap, unknown}, "archive": nil}
	return &fakeDaemon{canary: canary, waiting: 1, letters: letters}
}

func (s *fakeDaemon) Status() *api.Status { return &api.Status{} }

func (s *fakeDaemon) Operators() string        { return "" }
func (s *fakeDaemon) Metrics() http.Handler    { return http.NotFoundHandler() }
func (s *fakeDaemon) Config(w io.Writer) error { _, err := io.WriteString(w, s.config); return err }
func (s *fakeDaemon) LogLevel() api.LogLevel {
	return api.LogLevel{Level: cmp.Or(s.level, "info"), Configured: "info"}
}

func (s *fakeDaemon) Files(w io.Writer) error {
	_, err := io.WriteString(w, s.files)
	return errors.Join(s.faults, err)
}

func (s *fakeDaemon) SetLogLevel(level string) error {
	if level == "loud" {
		return &api.Error{Status: http.StatusBadRequest, Message: "not a level: " + level}
	}
	s.level = level
	return nil
}

func (s *fakeDaemon) Boxes() []api.Box {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.waiting
	if len(s.requests) > 0 {
		s.waiting = max(waiting, 1) - 1
	}
	return []api.Box{{Sink: "hook", Letters: 4, ToReplay: waiting, Bytes: 4096, Expired: 2, Damaged: 3}, {Sink: "archive"}}
}

func (s *fakeDaemon) Letters(sink string, visit func(*api.Letter) error) error {
	s.mu.Lock()
	letters, ok := s.letters[sink]
	s.mu.Unlock()
	if !ok {
		return control.UnknownSink(sink)
	}
	for i := range letters {
		if err := visit(&letters[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *fakeDaemon) Letter(sink, id string) (found *api.Letter, err error) {
	err = s.Letters(sink, func(l *api.Letter) error {
		if l.ID == id {
			found = l
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%w event %q", control.ErrUnknown, id)
	}
	return found, err
}

func (s *fakeDaemon) do(what, sink string, sel api.Selection) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.letters[sink]; !ok {
		return 0, control.UnknownSink(sink)
	}
	s.requests = append(s.requests, fmt.Sprint(what, " ", sink, " ", sel.All, " ", sel.IDs))
	if sel.All {
		return 4, nil
	}
	return len(sel.IDs), nil
}

// Replay accepts the first letter of the sink.
func (s *fakeDaemon) Replay(sink string, sel api.Selection) (int, error) {
	s.mu.Lock()
	if letters := s.letters[sink]; len(letters) > 0 {
		s.letters[sink] = letters[1:]
	}
	s.waiting = 2
	s.mu.Unlock()
	return s.do("replay", sink, sel)
}

func (s *fakeDaemon) Drop(sink string, sel api.Selection) (int, error) {
	return s.do("drop", sink, sel)
}

func (s *fakeDaemon) Reload(context.Context) (*api.Reload, error) {
	time.Sleep(s.slow)
	if s.refusal != nil {
		return nil, s.refusal
	}
	warnings := []string{"f.yaml:1:2: " + hostile}
	return &api.Reload{
		Added: []string{"a", "b"}, Removed: []string{"c"}, Unchanged: 4,
		Families: api.Families{Removed: []string{"ethtool", "netdev"}}, Warnings: warnings,
	}, nil
}

// serve serves a daemon on a socket, whose path it returns.
func serve(t *testing.T, s control.Operations) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "control.sock")
	server, err := control.ListenSocket(socket, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return socket
}

// RequestCanary implements control.Canaries.
func (s *fakeDaemon) RequestCanary() (*api.Canary, error) {
	s.note("canary")
	return &api.Canary{Requested: canaryTime, Text: "genltestd canary 5f0c"}, s.refusal
}

// LastCanary implements control.Canaries. The canary is received, and reaches the sink hook, one request later.
func (s *fakeDaemon) LastCanary() (*api.Canary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary.Requested = cmp.Or(s.canary.Requested, canaryTime)
	last := s.canary
	if len(s.canary.Sinks) > 0 {
		s.canary.Received = true
		s.canary.Sinks = slices.Clone(s.canary.Sinks)
		s.canary.Sinks[0].Reached = true
	}
	return &last, nil
}

func (s *fakeDaemon) Pause(sink string) (*api.Pause, error) {
	s.note("pause " + sink)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &api.Pause{Sink: sink, PausedSince: &since}, s.sinkError(sink)
}

func (s *fakeDaemon) Resume(sink string) (*api.Pause, error) {
	s.note("resume " + sink)
	if sink == "archive" {
		return &api.Pause{Sink: sink}, nil
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &api.Pause{Sink: sink, WasPausedSince: &since}, s.sinkError(sink)
}

func (s *fakeDaemon) Retry(sink string) error { s.note("retry " + sink); return s.sinkError(sink) }

func (s *fakeDaemon) Test(_ context.Context, sink string) (*api.SinkTest, error) {
	s.note("test " + sink)
	t := &api.SinkTest{Sink: sink, ID: "6a9155caa46c7dcc-0-test-1e1b58c6a77ddc69", Seconds: 0.0125}
	switch sink {
	case "hook":
		t.Outcome = api.TestAccepted
	case "archive":
		t.Outcome, t.Error = api.TestRefused, "POST https://siem: 400 Bad Request: "+hostile
	case "slow":
		t.Outcome, t.Seconds, t.Error = api.TestNotAttempted, 0, "an earlier attempt is running since 2026-01-02T03:04:05Z"
	default:
		t.Outcome, t.Error = api.TestFailed, "POST https://siem: 503 Service Unavailable"
	}
	return t, s.sinkError(sink)
}

func (s *fakeDaemon) Skip(_ context.Context, sink string, what *api.Skip) (*api.Skipped, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	s.note("skip " + sink + " " + string(text))
	answer := &api.Skipped{Sink: sink, Before: 7}
	if !what.DryRun {
		answer.Skipped, answer.Done = 6, sink != "slow"
	}
	return answer, s.sinkError(sink)
}

func (s *fakeDaemon) sinkError(sink string) error {
	if sink == "none" {
		return control.UnknownSink(sink)
	}
	return nil
}

// note records a request.
func (s *fakeDaemon) note(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
}
