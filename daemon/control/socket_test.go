// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// ten holds ten letters. Reading some of them can fail.
type ten struct {
	bad int // first unreadable letter, or 0
}

func (ten) Boxes() []api.Box { return []api.Box{{Sink: "s", Letters: 10}} }

func (ten) Status() *api.Status { return &api.Status{Version: "1.2.3"} }

func (ten) RequestCanary() (*api.Canary, error) { return &api.Canary{}, nil }

func (ten) LastCanary() (*api.Canary, error) { return &api.Canary{}, nil }

func (ten) Operators() string { return "" }

func (ten) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "up 1") })
}

func (ten) Config(w io.Writer) error {
	_, err := io.WriteString(w, "log:\n  level: info\n")
	return err
}

func (ten) Files(io.Writer) error {
	return &api.Error{Status: http.StatusUnprocessableEntity, Message: "at fault", Faults: []string{"a.yaml:1:2: x"}}
}

func (ten) LogLevel() api.LogLevel { return api.LogLevel{Level: "debug", Configured: "info"} }

func (ten) SetLogLevel(level string) error {
	if level != "debug" {
		return &api.Error{Status: http.StatusBadRequest, Message: "not a level"}
	}
	return nil
}

func (d ten) Pause(sink string) (*api.Pause, error) { return &api.Pause{Sink: sink}, nil }

func (d ten) Resume(sink string) (*api.Pause, error) { return d.Pause(sink) }

func (ten) Retry(string) error { return nil }

func (ten) Test(_ context.Context, sink string) (*api.SinkTest, error) {
	return &api.SinkTest{Sink: sink, ID: "j-0-test-0", Outcome: api.TestAccepted}, nil
}

func (ten) Skip(_ context.Context, sink string, _ *api.Skip) (*api.Skipped, error) {
	return &api.Skipped{Sink: sink}, nil
}

func (d ten) Letters(sink string, visit func(*api.Letter) error) error {
	switch sink {
	case "s":
	case "broken":
		return errors.Join(errors.New("one"), errors.New("two\x1b"))
	default:
		return UnknownSink(sink)
	}
	for i := 1; i <= 10; i++ {
		if i == d.bad {
			return errors.New("the disk is broken")
		}
		if err := visit(&api.Letter{ID: "j-1", Event: []byte("{}")}); err != nil {
			return err
		}
	}
	return nil
}

func (ten) Letter(string, string) (*api.Letter, error) { return nil, errors.New("the disk is broken") }

func (ten) Replay(_ string, s api.Selection) (int, error) { return len(s.IDs), nil }

func (d ten) Reload(context.Context) (*api.Reload, error) {
	if d.bad > 0 {
		return nil, &api.Error{
			Status: http.StatusUnprocessableEntity, Message: "the configuration is at fault", Faults: []string{"a.yaml:1:2: x"},
		}
	}
	return &api.Reload{Added: []string{"s"}, Unchanged: 3}, nil
}

func (ten) Drop(string, api.Selection) (int, error) { return 0, errors.New("the disk is full") }

func TestSocketAnswers(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		letters            ten
		method, path, body string
		code               int
		part               string
	}{
		{ten{}, "GET", "/v1/status", "", 200, `{"version":"1.2.3",`},
		{ten{}, "GET", "/v1/dead-letters", "", 200, `{"sink":"s","letters":10,`},
		{ten{}, "GET", "/v1/dead-letters/s", "", 200, `"event":{}}` + "\n"},
		{ten{}, "GET", "/v1/dead-letters/x%2F%1B", "", 404, `unknown sink \"x/\\x1b\"`},
		{ten{bad: 1}, "GET", "/v1/dead-letters/s", "", 500, `{"error":"the disk is broken"}`},
		{ten{}, "GET", "/v1/dead-letters/s/j-1", "", 500, `{"error":"the disk is broken"}`},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"ids":["a","b"]}`, 200, `{"letters":2}`},
		{ten{}, "POST", "/v1/dead-letters/s/drop", `{"all":true}`, 500, `{"error":"the disk is full"}`},
		{ten{}, "POST", "/v1/dead-letters/s/replay", ``, 400, "body: missing"},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{}`, 400, "at least one id"},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"all":true,"ids":["a"]}`, 400, "at least one id"},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"everything":true}`, 400, "body: unknown field \\\"everything\\\""},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"all":true}}`, 400, "body: data follow"},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"ids":"a"}`, 400, "body: ids must not be a string"},
		{ten{}, "POST", "/v1/dead-letters/s/replay", `{"all":true}` + " \n", 200, `{"letters":0}`},
		{ten{}, "GET", "/v1/dead-letters/s/replay", "", 500, ""}, // replay could be the id of a letter
		{ten{}, "GET", "/v1/dead-letters/broken", "", 500, `{"error":"one; two\\x1b"}` + "\n"},
		{ten{}, "POST", "/v1/reload", "", 200, `{"added":["s"],"changed":[],"removed":[],"unchanged":3,` +
			`"families":{"added":[],"changed":[],"removed":[]},"warnings":[]}`},
		{ten{bad: 1}, "POST", "/v1/reload", "", 422, `"faults":["a.yaml:1:2: x"]}`},
		{ten{}, "GET", "/v1/reload", "", 404, "another version"},
		{ten{}, "DELETE", "/v1/dead-letters/s", "", 404, "another version"},
		{ten{}, "GET", "/metrics", "", 404, "another version"},
		{ten{}, "GET", "/v1/metrics", "", 200, "up 1"},
		{ten{}, "GET", "/v1/config", "", 200, "level: info"},
		{ten{}, "GET", "/v1/config/files", "", 422, `"faults":["a.yaml:1:2: x"]}`},
		{ten{}, "GET", "/v1/log-level", "", 200, `{"level":"debug","configured":"info"}`},
		{ten{}, "PUT", "/v1/log-level", `{"level":"debug"}`, 200, `{"level":"debug","configured":"info"}`},
		{ten{}, "PUT", "/v1/log-level", `{"level":"all"}`, 400, "not a level"},
		{ten{}, "PUT", "/v1/log-level", `{}`, 400, "specify only the level"},
		{ten{}, "PUT", "/v1/log-level", `{"level":"debug","configured":"info"}`, 400, "specify only the level"},
		{ten{}, "GET", "/debug/pprof/goroutine", "", 200, "goroutine "},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		socketHandler(c.letters, newAccess(c.letters.Operators, log), log).ServeHTTP(w, as(r, unixsocket.Peer{UID: 0}))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.part) {
			t.Errorf("%s %s %s: %d %q", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}

// listen serves until the test ends.
func listen(t *testing.T, operations Operations) (path string) {
	t.Helper()
	return listenLogged(t, operations, slog.New(slog.DiscardHandler))
}

func listenLogged(t *testing.T, operations Operations, log *slog.Logger) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "control") // the path of t.TempDir can be too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	s, err := ListenSocket(path, operations, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestATruncatedListingIsAnError(t *testing.T) {
	n := 0
	err := api.NewClient(listen(t, ten{bad: 5})).Letters(t.Context(), "s", func(api.Letter) error { n++; return nil })
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d letters, %v", n, err)
	}
}

func TestListenSocketRefuses(t *testing.T) {
	served := listen(t, ten{})
	file := filepath.Join(filepath.Dir(served), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, part := range map[string]string{
		served: "another genltestd uses it; stop that one",
		file:   "a file that is not a socket exists; remove it",
		filepath.Join(filepath.Dir(served), "none", "s"):              "no such file or directory",
		filepath.Join(filepath.Dir(served), strings.Repeat("x", 110)): "the maximum is 107",
	} {
		_, err := ListenSocket(path, ten{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, part)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is now %q, %v", text, err)
	}
	if err := api.NewClient(served).Boxes(t.Context(), func(api.Box) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("the first server: %v", err)
	}
}

// TestClientOfAnotherServer connects to servers that are not the daemon.
func TestClientOfAnotherServer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no JSON":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusTeapot) },
		"no error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"not the list": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[1, 2") },
	} {
		path := filepath.Join(t.TempDir(), "other")
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: h}
		go func() { _ = s.Serve(listener) }() // Close below ends it
		if err := api.NewClient(path).Boxes(t.Context(), func(api.Box) error { return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
}
