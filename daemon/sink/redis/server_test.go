// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/realserver"
)

// long skips a test in short mode.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a second or more")
	}
}

// A server is redis-server with a stream.
type server struct {
	*realserver.Server
	address string
	dir     string
	stream  string
	options []redigo.DialOption // of the test's own connections
}

// startServer starts a server that writes each change to its disk before it answers.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	return startServerIn(t, t.TempDir(), append([]string{"--appendonly", "yes", "--appendfsync", "always"}, args...)...)
}

func startServerIn(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	s := &server{address: sinktest.FreeAddress(t), dir: dir, stream: "genltestd"}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, append([]string{"--port", port}, args...)...)
	return s
}

func (s *server) start(t testing.TB, args ...string) {
	t.Helper()
	common := []string{"--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--auto-aof-rewrite-percentage", "0"}
	s.Server = realserver.Start(t, realserver.Spec{
		Program: "redis-server", Args: append(common, args...), Dir: s.dir, Ready: func() error { _, err := s.do("PING"); return err },
	})
}

// startSentinel starts a Sentinel without primaries.
func startSentinel(t testing.TB) *server {
	t.Helper()
	s := &server{address: sinktest.FreeAddress(t), dir: t.TempDir()}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte("bind 127.0.0.1\nport "+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Server = realserver.Start(t, realserver.Spec{
		Program: "redis-server", Args: []string{file, "--sentinel"}, Dir: s.dir, Ready: func() error { _, err := s.do("PING"); return err },
	})
	return s
}

// do runs a command of the test itself.
func (s *server) do(name string, args ...any) (any, error) {
	c, err := redigo.Dial("tcp", s.address, s.options...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(name, args...)
}

func (s *server) must(t testing.TB, name string, args ...any) any {
	t.Helper()
	reply, err := s.do(name, args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return reply
}

// info returns a number of a section of INFO.
func (s *server) info(t testing.TB, section, name string) int {
	t.Helper()
	for line := range strings.Lines(string(s.must(t, "INFO", section).([]byte))) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the section %s", name, section)
	return 0
}

// entries returns the entries of a stream: the names and values of their fields.
func (s *server) entries(t testing.TB, stream string) (all [][]string) {
	t.Helper()
	list, err := redigo.Values(s.do("XRANGE", stream, "-", "+"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		pair, err := redigo.Values(entry, nil)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := redigo.Strings(pair[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fields)
	}
	return all
}

// Stored implements sinktest.Destination.
func (s *server) Stored(t *testing.T) (all []sinktest.StoredEvent) {
	t.Helper()
	for _, fields := range s.entries(t, s.stream) {
		stored := sinktest.ParseJSON(t, []byte(fields[3]))
		if fields[0] != "id" || fields[1] != stored.ID || fields[2] != "event" {
			t.Errorf("the entry has the fields %.200q", fields)
		}
		all = append(all, stored)
	}
	return all
}

// Break kills the server.
func (s *server) Break(*testing.T) { s.Kill() }

// Repair starts a server that was killed, and thaws a frozen one.
func (s *server) Repair(*testing.T) {
	if s.Running() {
		s.Thaw()
		return
	}
	s.Restart()
}

// Hang stops the server without ending its connections.
func (s *server) Hang(*testing.T) { s.Freeze() }

// config returns a configuration with the defaults for the server.
func (s *server) config() Config { return defaulted(value.Address("redis://" + s.address)) }

func defaulted(address value.Address) Config {
	return Config{Address: address, Stream: "genltestd", IDField: "id", EventField: "event"}
}

func newSink(t testing.TB, c Config) *Sink {
	t.Helper()
	s, err := New(&c, sink.Env{Encoder: event.JSON{}, Sink: "test", Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// proxied returns a proxy in front of the server, and a configuration that leads to it.
func (s *server) proxied(t testing.TB) (*faultproxy.Proxy, Config) {
	t.Helper()
	p := faultproxy.New(t, s.address)
	return p, defaulted(value.Address("redis://" + p.Addr()))
}
