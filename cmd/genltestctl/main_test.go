// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/cmd/internal/cmdtest"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/event"
)

func TestMain(m *testing.M) { cmdtest.Main(m, main) }

const hostile = "\x1b[2J\u202egnp.exe\n\x9b31m"

// shelf is a daemon's dead letters in memory.
type shelf struct {
	mu      sync.Mutex
	letters map[string][]api.Letter // by sink
	asked   []string                // what was done to them
	refusal error                   // of a reload
	slow    time.Duration           // of a reload
}

func newShelf() *shelf {
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
	odd := letter(4, "")
	odd.Event = json.RawMessage(`{"id":"6a9155caa46c7dcc-4","error":"no event","record_base64":"AA=="}`)
	bad := letter(2, "")
	bad.Event = json.RawMessage(`{"kind":"event","message":"\ufffd","message_base64":"gRs="}`)
	bad.Reason, bad.Kind, bad.Status = hostile, "", 0 // as stored by an older version
	return &shelf{letters: map[string][]api.Letter{"hook": {letter(1, "hello "+hostile), bad, gap, odd}, "archive": nil}}
}

func (s *shelf) Boxes() []api.Box {
	return []api.Box{{Sink: "hook", Letters: 4, ToReplay: 1, Bytes: 4096, Expired: 2, Damaged: 3}, {Sink: "archive"}}
}

func (s *shelf) Letters(sink string, visit func(*api.Letter) error) error {
	letters, ok := s.letters[sink]
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

func (s *shelf) Letter(sink, id string) (found *api.Letter, err error) {
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

func (s *shelf) do(what, sink string, sel api.Selection) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.letters[sink]; !ok {
		return 0, control.UnknownSink(sink)
	}
	s.asked = append(s.asked, fmt.Sprint(what, " ", sink, " ", sel.All, " ", sel.IDs))
	if sel.All {
		return 4, nil
	}
	return len(sel.IDs), nil
}

func (s *shelf) Replay(sink string, sel api.Selection) (int, error) {
	return s.do("replay", sink, sel)
}

func (s *shelf) Drop(sink string, sel api.Selection) (int, error) { return s.do("drop", sink, sel) }

func (s *shelf) Reload(context.Context) (*api.Reload, error) {
	time.Sleep(s.slow)
	if s.refusal != nil {
		return nil, s.refusal
	}
	warnings := []string{"f.yaml:1:2: " + hostile}
	return &api.Reload{Added: []string{"a", "b"}, Removed: []string{"c"}, Unchanged: 4, Warnings: warnings}, nil
}

// serve serves a shelf on a socket, whose path it returns.
func serve(t *testing.T, s *shelf) (socket string) {
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

func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return cmdtest.Run(t, cmdtest.Command(t, args...))
}

// TestOutputIsSafeToShow checks the output for scripts and for people, with hostile texts of events.
func TestOutputIsSafeToShow(t *testing.T) {
	socket := serve(t, newShelf())
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"dlq", "list"}, "" +
			"SINK     LETTERS  TO REPLAY  BYTES  EXPIRED  DAMAGED\n" +
			"hook           4          1   4096        2        3\n" +
			"archive        0          0      0        0        0\n"},
		{[]string{"dlq", "list", "hook"}, "" +
			"ID                  REFUSED               ATTEMPTS  KIND             REASON                      TEXT\n" +
			`6a9155caa46c7dcc-1  2026-01-02T03:04:06Z         1  http_status 400  400 Bad Request: no         ` +
			`hello \x1b[2J\u202egnp.exe\n` + "\ufffd" + "31m\n" +
			`6a9155caa46c7dcc-2  2026-01-02T03:04:06Z         2  -                \x1b[2J\u202egnp.exe\n` + "\ufffd" +
			`31m  \x81\x1b` + "\n" +
			"6a9155caa46c7dcc-3  2026-01-02T03:04:06Z         3  http_status 400  400 Bad Request: no         (gap)\n" +
			"6a9155caa46c7dcc-4  2026-01-02T03:04:06Z         4  http_status 400  400 Bad Request: no         (no event)\n"},
		{[]string{"dlq", "list", "hook", "-n", "1", "--output", "json"}, "" +
			`{"id":"6a9155caa46c7dcc-1","received":"2026-01-02T03:04:05.000000006Z","refused":"2026-01-02T03:04:06.000000006Z",` +
			`"attempts":1,"reason":"400 Bad Request: no","kind":"http_status","status":400,` +
			`"event":{"id":"6a9155caa46c7dcc-1","kind":"event","message":"hello \u001b[2J\u202egnp.exe\n\ufffd31m"}}` + "\n"},
		{[]string{"dlq", "list", "archive"}, ""},
		{[]string{"dlq", "list", "-o", "json"}, "" +
			`{"sink":"hook","letters":4,"to_replay":1,"bytes":4096,"expired":2,"damaged":3}` + "\n" +
			`{"sink":"archive","letters":0,"to_replay":0,"bytes":0,"expired":0,"damaged":0}` + "\n"},
		{[]string{"dlq", "show", "hook", "6a9155caa46c7dcc-2"}, "" +
			"id        6a9155caa46c7dcc-2\nsink      hook\nreceived  2026-01-02T03:04:05.000000006Z\n" +
			"refused   2026-01-02T03:04:06.000000006Z\n" +
			`attempts  2` + "\nkind      -\n" + `reason    \x1b[2J\u202egnp.exe\n` + "\ufffd" + "31m\n" + `text      \x81\x1b` + "\n" +
			`event     {"kind":"event","message":"\ufffd","message_base64":"gRs="}` + "\n"},
		{[]string{"dlq", "replay", "hook", "--all"}, "4 dead letters to replay\n"},
		{[]string{"dlq", "replay", "hook", "a-1", "a-2"}, "2 dead letters to replay\n"},
		{[]string{"dlq", "drop", "--yes", "hook", "a-1", "-o", "json"}, `{"letters":1}` + "\n"},
	}
	for _, test := range tests {
		code, stdout, stderr := execute(t, append(test.args, "--socket", socket)...)
		if diff := cmp.Diff(test.want, stdout); code != 0 || stderr != "" || diff != "" {
			t.Errorf("%q: status %d, %q, output (-want +got):\n%s", test.args, code, stderr, diff)
		}
	}
}

func TestRequestsReachTheDaemon(t *testing.T) {
	s := newShelf()
	socket := serve(t, s)
	for _, args := range [][]string{
		{"replay", "hook", "a-1", "a-2"},
		{"replay", "hook", "--all"},
		{"drop", "archive", "b-7", "--yes"},
		{"drop", "hook", "--all", "--yes"},
		{"drop", "hook", "--all"}, // refused: standard input is not a terminal
	} {
		execute(t, append([]string{"dlq", "--socket", socket}, args...)...)
	}
	want := []string{"replay hook false [a-1 a-2]", "replay hook true []", "drop archive false [b-7]", "drop hook true []"}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestErrorsNamePlaceAndRemedy checks that each error has its exit status and is one line.
func TestErrorsNamePlaceAndRemedy(t *testing.T) {
	socket := serve(t, newShelf())
	stale := filepath.Join(filepath.Dir(socket), "stale.sock")
	listener, err := control.ListenSocket(stale, newShelf(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(stale, stale+"x"); err != nil { // it remains after the listener is closed
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	const (
		remedy = "; start it (systemctl start genltestd), or specify its socket with --socket"
		late   = "within 100ms; see systemctl status genltestd"
		header = "HTTP/1.1 200 OK\r\n\r\n"
	)
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, 64, "missing command; see genltestctl --help"},
		{[]string{"start"}, 64, `unknown command "start"`},
		{[]string{"dlq"}, 64, "missing subcommand; use list, show, replay or drop; see genltestctl dlq --help"},
		{[]string{"dlq", "mend"}, 64, `unknown command "mend"`},
		{[]string{"dlq", "list", "--nonsense"}, 64, "--nonsense; see genltestctl dlq list --help"},
		{[]string{"dlq", "list", "a", "b"}, 64, "at most 1 arg"},
		{[]string{"dlq", "list", "-o", "xml"}, 64, "use text or json"},
		{[]string{"dlq", "show", "hook"}, 64, "2 arg"},
		{[]string{"dlq", "replay", "hook"}, 64, "specify either ids of events or --all"},
		{[]string{"dlq", "drop", "hook", "--all", "a-1"}, 64, "specify either ids of events or --all"},
		{[]string{"dlq", "drop", "hook", "--all"}, 64, "confirm with --yes"},
		{[]string{"dlq", "list", "nobody\x1b[2J"}, 66, `unknown sink "nobody\x1b[2J"`},
		{[]string{"dlq", "show", "hook", "a-9"}, 66, `unknown event "a-9"`},
		{[]string{"dlq", "replay", "nobody", "--all"}, 66, `unknown sink "nobody"`},
		{[]string{"dlq", "drop", "a/../b", "--all", "--yes"}, 66, `unknown sink "a/../b"`},
		{[]string{"dlq", "list", "--socket", stale}, 69, "no daemon listens on " + stale + ": "},
		{[]string{"dlq", "list", "--socket", stale}, 69, "no such file or directory" + remedy},
		{[]string{"dlq", "list", "--socket", stale + "x"}, 69, "connection refused" + remedy},
		{[]string{"dlq", "list", "--socket", "/" + strings.Repeat("x", 200)}, 69, "is not the control socket of genltestd"},
		{[]string{"dlq", "list", "--socket", "/etc/passwd/x"}, 69, "is not the control socket of genltestd"},
		{[]string{"dlq", "list", "--socket", foreign(t)}, 69, "is not the control socket of genltestd"},
		{[]string{"dlq", "list", "--socket", silent(t, ""), "--timeout", "100ms"}, 69, late},
		{[]string{"dlq", "list", "--socket", silent(t, header), "--timeout", "100ms"}, 69, late},
		{[]string{"dlq", "drop", "hook", "--all", "--yes", "--socket", silent(t, ""), "--timeout", "100ms"}, 69, "within 100ms"},
		{[]string{"reload", "--socket", silent(t, ""), "--timeout", "100ms"}, 69, "within 100ms"},
		{[]string{"reload", "--timeout", "soon"}, 64, "--timeout"},
	}
	for _, test := range tests {
		args := test.args
		if !strings.Contains(strings.Join(args, " "), "--socket") {
			args = append([]string{"--socket", socket}, args...)
		}
		code, stdout, stderr := execute(t, args...)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 ||
			strings.Contains(stderr, "\x1b") {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", test.args, code, stdout, stderr, test.code, test.want)
		}
	}
}

// foreign returns the path of a socket whose server does not speak HTTP.
func foreign(t *testing.T) string {
	t.Helper()
	return serveBy(t, func(conn net.Conn) {
		fmt.Fprintln(conn, `{"id":"6a9155caa46c7dcc-1"}`)
		conn.Close()
	})
}

// silent returns the socket of a server that sends the beginning of an answer and then
// nothing until the test ends.
func silent(t *testing.T, beginning string) string {
	t.Helper()
	return serveBy(t, func(conn net.Conn) {
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, beginning)
	})
}

// serveBy returns a socket whose connections are passed to handle.
func serveBy(t *testing.T, handle func(net.Conn)) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-accepting })
	go func() {
		defer close(accepting)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			handle(conn)
		}
	}()
	return listener.Addr().String()
}

// The timeout bounds the time without an answer, not the duration of a reload.
func TestAReloadMayTakeLongerThanTheTimeout(t *testing.T) {
	s := newShelf()
	s.slow = 2500 * time.Millisecond
	code, stdout, stderr := execute(t, "reload", "--socket", serve(t, s), "--timeout", "2s")
	if code != 0 || !strings.HasPrefix(stdout, "reloaded: ") {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
}

func TestCompletionKnowsTheSinks(t *testing.T) {
	socket := serve(t, newShelf())
	code, stdout, _ := execute(t, "__complete", "--socket", socket, "dlq", "show", "")
	if code != 0 || !strings.HasPrefix(stdout, "hook\narchive\n") {
		t.Errorf("status %d, %q", code, stdout)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, stdout, _ := execute(t, "completion", shell); code != 0 || !strings.Contains(stdout, "genltestctl") {
			t.Errorf("%s: status %d, %.100q", shell, code, stdout)
		}
	}
}

func TestOutputThatFails(t *testing.T) {
	socket := serve(t, newShelf())
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"list"}, {"list", "hook"}, {"show", "hook", "6a9155caa46c7dcc-1"}, {"replay", "hook", "--all"}} {
		cmd := cmdtest.Command(t, append([]string{"--socket", socket, "dlq"}, args...)...)
		cmd.Stdout = full
		if code, _, stderr := cmdtest.Run(t, cmd); code != 1 || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%s: status %d, %q", args, code, stderr)
		}
	}
}

// Terminals also show JSON.
func TestJSONIsSafeToShow(t *testing.T) {
	socket := serve(t, newShelf())
	for _, args := range [][]string{{"dlq", "list", "hook"}, {"dlq", "show", "hook", "6a9155caa46c7dcc-2"}, {"reload"}} {
		code, stdout, _ := execute(t, append([]string{"--socket", socket, "-o", "json"}, args...)...)
		if text := strings.TrimSuffix(stdout, "\n"); code != 0 || text == "" || !event.IsVisible(strings.ReplaceAll(text, "\n", "")) {
			t.Errorf("%v: exit status %d, %q", args, code, stdout)
		}
	}
}
