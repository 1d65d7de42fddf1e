// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/internal/poll"
)

var emptyMachine origin.Machine

var journaldLine = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)

var hostileDestinations = []hostileDestination{
	{"`stdout`", func(_ *testing.T, out *bytes.Buffer) (string, func(int) [][]byte) {
		return "stdout: {}", func(int) [][]byte { return linesOf(out.Bytes()) }
	}},
	{"`file`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		path := filepath.Join(t.TempDir(), "events")
		return "file: {path: " + path + "}", func(int) [][]byte { return linesOf(readFile(t, path)) }
	}},
	{"`socket`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		address, got := streamServer(t, "unix")
		return "socket: {address: " + address + "}", func(n int) [][]byte { return linesOf(got.awaitParts(t, n, linesOf)) }
	}},
	{"`syslog`, `newline`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		address, got := streamServer(t, "tcp")
		return syslogYAML(address) + ", framing: newline}", func(n int) [][]byte { return linesOf(got.awaitParts(t, n, linesOf)) }
	}},
	{"`syslog`, `octet_counting`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		address, got := streamServer(t, "tcp")
		return syslogYAML(address) + "}", func(n int) [][]byte { return framesOf(got.awaitParts(t, n, framesOf)) }
	}},
	{"`syslog`, datagrams", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		address, got := datagramServer(t)
		return syslogYAML(address) + "}", got
	}},
	{"`journald`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		address, got := datagramServer(t)
		return "journald: {socket: " + address[len("unixgram://"):] + "}", func(n int) [][]byte {
			var entries [][]byte
			for _, entry := range got(n) { // each field is one line, unless its value contains line breaks
				entries = append(entries, bytes.ReplaceAll(entry, []byte("\n"), []byte(" ")))
				for _, line := range linesOf(entry) {
					if !journaldLine.Match(line) {
						t.Errorf("the line %q is not a field", line)
					}
				}
			}
			return entries
		}
	}},
	{"`webhook`, `lines`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		url, got := hostileWebhook(t)
		return "webhook: {url: " + url + ", batch: lines}", func(int) [][]byte { return linesOf(bytes.Join(got(), nil)) }
	}},
	{"`webhook`, `array`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		url, got := hostileWebhook(t)
		return "webhook: {url: " + url + "}", func(n int) [][]byte { return repeated(bytes.Join(got(), nil), n) }
	}},
	{"`webhook`, `none`", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		url, got := hostileWebhook(t)
		return "webhook: {url: " + url + ", batch: none}", func(int) [][]byte { return got() }
	}},
	{"`exec`, `stream`: standard input", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		path := filepath.Join(t.TempDir(), "input")
		script := `while IFS= read -r line; do printf '%%s\n' "$line" >>%s; echo 'ok -'; done`
		return execYAML(fmt.Sprintf(script, path), ", mode: stream"), func(int) [][]byte { return linesOf(readFile(t, path)) }
	}},
	{"`exec`, `event`: standard input", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		dir := t.TempDir()
		return execYAML(`exec cat >`+dir+`/$GENLTEST_SEQ`, ""), func(int) [][]byte { return bySeq(t, dir) }
	}},
	{"`exec`, `event`: variables", func(t *testing.T, _ *bytes.Buffer) (string, func(int) [][]byte) {
		dir := t.TempDir()
		return execYAML(`exec env -0 >`+dir+`/$GENLTEST_SEQ`, ""), func(int) (list [][]byte) {
			for _, env := range bySeq(t, dir) {
				list = append(list, bytes.ReplaceAll(env, []byte{0}, []byte(" ")))
			}
			return list
		}
	}},
}

func syslogYAML(address string) string {
	return "syslog: {address: \"" + address + "\", max_message: 1MiB"
}

func execYAML(script, more string) string {
	return "attempt_timeout: 10m\n  exec: {argv: [/bin/sh, -c, " + strconv.Quote(script) + "]" + more + "}"
}

func linesOf(text []byte) (lines [][]byte) {
	for line := range bytes.Lines(text) {
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	return lines
}

// framesOf returns the messages of octet counting, without their byte order marks.
func framesOf(text []byte) (frames [][]byte) {
	for len(text) > 0 {
		digits, rest, _ := bytes.Cut(text, []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if err != nil || n > len(rest) {
			return frames
		}
		frames = append(frames, withoutByteOrderMark(rest[:n]))
		text = rest[n:]
	}
	return frames
}

func withoutByteOrderMark(message []byte) []byte {
	return bytes.Replace(message, []byte("] \ufeff"), []byte("] "), 1)
}

func repeated(text []byte, n int) (list [][]byte) {
	for range n {
		list = append(list, text)
	}
	return list
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func bySeq(t *testing.T, dir string) (list [][]byte) {
	t.Helper()
	for _, e := range hostileEvents() {
		list = append(list, readFile(t, filepath.Join(dir, strconv.FormatUint(e.Seq, 10))))
	}
	return list
}

// received is the data that has arrived at a server.
type received struct {
	mu   sync.Mutex
	text []byte
}

func (r *received) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	return len(p), nil
}

// awaitParts waits for n parts.
func (r *received) awaitParts(t *testing.T, n int, parts func([]byte) [][]byte) []byte {
	t.Helper()
	var text []byte
	poll.UntilNil(t, "all events arrive", func() error {
		r.mu.Lock()
		text = bytes.Clone(r.text)
		r.mu.Unlock()
		if got := len(parts(text)); got < n {
			return fmt.Errorf("%d of %d: %q", got, n, text)
		}
		return nil
	})
	return text
}

func streamServer(t *testing.T, network string) (address string, got *received) {
	t.Helper()
	at := "127.0.0.1:0"
	if network == "unix" {
		at = filepath.Join(t.TempDir(), "s")
	}
	listener, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	got = &received{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(got, conn) // it ends with the test
		}
	}()
	return network + "://" + listener.Addr().String(), got
}

func datagramServer(t *testing.T) (address string, got func(n int) [][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	messages := make(chan []byte, 10_000)
	go func() {
		for {
			buf := make([]byte, 1<<20)
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			messages <- withoutByteOrderMark(buf[:n])
		}
	}()
	return "unixgram://" + path, func(n int) (list [][]byte) {
		for range n {
			list = append(list, <-messages)
		}
		return list
	}
}

// hostileWebhook also checks the headers.
func hostileWebhook(t *testing.T) (url string, got func() [][]byte) {
	t.Helper()
	var mu sync.Mutex
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for name, values := range r.Header {
			if !event.IsVisible(fmt.Sprint(name, values)) {
				t.Errorf("header %s: %q", name, values)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return bodies
	}
}
