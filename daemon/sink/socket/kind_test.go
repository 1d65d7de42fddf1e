// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// A collector stores the lines that it receives, and confirms them if confirm is set.
type collector struct {
	network, address string
	tls              *tls.Config // nil: disabled
	confirm          bool

	listener net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
	lines    [][]byte

	sink *sinktest.Counter // the client
}

func jsonEnv() sink.Env { return sink.Env{Encoder: event.JSON{}} }

func connectConfig(network, address string) *Config {
	return &Config{Mode: modeConnect, Address: value.Address(network + "://" + address)}
}

func listenConfig(path string, l Listen) *Config {
	return &Config{Mode: modeListen, Address: value.Address("unix://" + path), Listen: l}
}

// startCollector returns a collector with a client of it.
func startCollector(t *testing.T, network string, confirm bool) *collector {
	t.Helper()
	c := &collector{network: "tcp", address: sinktest.FreeAddress(t), confirm: confirm}
	var settings value.TLS
	switch network {
	case "unix":
		c.network, c.address = "unix", filepath.Join(t.TempDir(), "socket")
	case "tls":
		ca := sinktest.NewCA(t)
		settings = sinktest.TLS(ca.File, "", "")
		c.tls = &tls.Config{Certificates: []tls.Certificate{ca.Certificate(t, "server", time.Hour)}}
	}
	c.Repair(t)
	c.address = c.listener.Addr().String()
	config := connectConfig(network, c.address)
	config.Acknowledge, config.TLS = confirm, settings
	c.sink = &sinktest.Counter{Sink: NewClient(config, jsonEnv())}
	t.Cleanup(func() {
		c.sink.Close()
		c.Break(t)
	})
	return c
}

// Repair implements sinktest.Destination.
func (c *collector) Repair(t *testing.T) {
	l, err := net.Listen(c.network, c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.listener = l
	c.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if c.tls != nil {
				conn = tls.Server(conn, c.tls)
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			c.serving.Go(func() { c.serve(conn) })
		}
	})
}

func (c *collector) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return // with a part of a line, perhaps
		}
		c.mu.Lock()
		c.lines = append(c.lines, line)
		c.mu.Unlock()
		if c.confirm && in.Buffered() == 0 { // several at once, if they arrive together
			var e struct{ ID string }
			_ = json.Unmarshal(line, &e) // Stored reports it
			fmt.Fprintf(conn, "%s\n", e.ID)
		}
	}
}

// Break implements sinktest.Destination: the collector disconnects when it has stored the events
// that count as accepted.
func (c *collector) Break(t *testing.T) {
	c.sink.AwaitStored(t, c)
	c.listener.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
	c.mu.Unlock()
	c.serving.Wait()
}

// Stored implements sinktest.Destination.
func (c *collector) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.lines {
		stored = append(stored, sinktest.ParseJSON(t, line))
	}
	return stored
}

func TestClientKind(t *testing.T) {
	for _, network := range []string{"unix", "tcp", "tls"} {
		for _, confirm := range []bool{false, true} {
			hostile := 5_000
			if network == "tcp" && confirm {
				hostile = 100_000
			}
			t.Run(fmt.Sprintf("%s, acknowledge: %t", network, confirm), func(t *testing.T) {
				sinktest.Run(t, sinktest.Kind{Hostile: hostile, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
					destination := startCollector(t, network, confirm)
					return destination.sink, destination
				}})
			})
		}
	}
}

// A recordingReader reads all events that a listener broadcasts.
type recordingReader struct {
	path string
	conn net.Conn

	mu   sync.Mutex
	text bytes.Buffer
}

func startReader(t *testing.T, l *Listener) *recordingReader {
	t.Helper()
	before := l.Stats().Served
	o := &recordingReader{path: l.path, conn: dial(t, l)}
	go func() {
		for chunk := make([]byte, 64<<10); ; {
			n, err := o.conn.Read(chunk)
			o.mu.Lock()
			o.text.Write(chunk[:n])
			o.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	poll.Until(t, "the listener has accepted", func() bool { return l.Stats().Served > before })
	return o
}

func dial(t *testing.T, l *Listener) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: l.path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// lines returns the complete lines.
func (o *recordingReader) lines() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.Bytes()
	return bytes.SplitAfter(bytes.Clone(text[:bytes.LastIndexByte(text, '\n')+1]), []byte("\n"))
}

// Stored implements sinktest.Destination.
func (o *recordingReader) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	for _, line := range o.lines() {
		if len(line) > 0 {
			stored = append(stored, sinktest.ParseJSON(t, line))
		}
	}
	return stored
}

// Break implements sinktest.Destination: another file replaces the socket.
func (o *recordingReader) Break(t *testing.T) {
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Repair implements sinktest.Destination.
func (o *recordingReader) Repair(t *testing.T) {
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
}

func TestListenerKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{Hostile: 20_000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
		l := newListener(t, 64<<20)
		return l, startReader(t, l)
	}})
}

func newListener(t *testing.T, buffer int) *Listener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.sock")
	l := NewListener(listenConfig(path, Listen{Permissions: 0o660, Buffer: value.Size(buffer), MaxReaders: 8}), jsonEnv())
	t.Cleanup(func() { l.Close() })
	return l
}
