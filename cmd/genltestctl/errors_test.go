// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/control"
)

// TestErrorsHaveAnExitStatusAndARemedy checks that each error has its exit status and is one line.
func TestErrorsHaveAnExitStatusAndARemedy(t *testing.T) {
	socket := serve(t, newFakeDaemon())
	stale := filepath.Join(filepath.Dir(socket), "stale.sock")
	listener, err := control.ListenSocket(stale, newFakeDaemon(), slog.New(slog.DiscardHandler))
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
		{[]string{"dlq", "list", "--socket", socketOfAnotherProtocol(t)}, 69, "is not the control socket of genltestd"},
		{[]string{"dlq", "list", "--socket", socketOfAHangingServer(t, ""), "--timeout", "100ms"}, 69, late},
		{[]string{"dlq", "list", "--socket", socketOfAHangingServer(t, header), "--timeout", "100ms"}, 69, late},
		{[]string{"dlq", "drop", "hook", "--all", "--yes", "--socket", socketOfAHangingServer(t, ""), "--timeout", "100ms"}, 69, "within 100ms"},
		{[]string{"reload", "--socket", socketOfAHangingServer(t, ""), "--timeout", "100ms"}, 69, "within 100ms"},
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

// socketOfAnotherProtocol returns the path of a socket whose server does not speak HTTP.
func socketOfAnotherProtocol(t *testing.T) string {
	t.Helper()
	return serveBy(t, func(conn net.Conn) {
		fmt.Fprintln(conn, `{"id":"6a9155caa46c7dcc-1"}`)
		conn.Close()
	})
}

// socketOfAHangingServer returns the socket of a server that answers a request with the beginning of an
// answer and then with nothing until the test ends.
func socketOfAHangingServer(t *testing.T, beginning string) string {
	t.Helper()
	return serveBy(t, func(conn net.Conn) {
		t.Cleanup(func() { conn.Close() })
		// An answer before the request is a fault of its own.
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, beginning)
		}
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
