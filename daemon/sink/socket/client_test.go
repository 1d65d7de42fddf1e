// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

func TestClientReportsOnlyConfirmedEvents(t *testing.T) {
	id := func(n int) string { return fmt.Sprintf("6a9155caa46c7dcc-%d\n", n) }
	tests := []struct {
		name, answer string
		accepted     int
		want         string // in the error
	}{
		{"each event", id(1) + id(2) + id(3), 3, ""},
		{"the last", id(3), 3, ""},
		{"with carriage returns", "6a9155caa46c7dcc-1\r\n6a9155caa46c7dcc-3\r\n", 3, ""},
		{"some events, then disconnects", id(2), 2, "1 events are not confirmed: EOF"},
		{"half a line", id(1) + "6a9155caa46c7dcc-3", 1, "EOF"},
		{"nothing", "", 0, "3 events are not confirmed: EOF"},
		{"one that was not sent", id(1) + id(4), 1, "has confirmed 6a9155caa46c7dcc-4, which is not an unconfirmed event"},
		{"one twice", id(2) + id(2), 2, "not an unconfirmed event"},
		{"out of order", id(2) + id(1), 2, "not an unconfirmed event"},
		{"an empty line", "\n", 0, "not an unconfirmed event"},
		{"control characters", "\x1b[2J\n", 0, `has confirmed \x1b[2J`},
		{"a long line", strings.Repeat("x", 300) + "\n", 0, "more than 256 bytes"},
		{"no end of a line", strings.Repeat("x", 10000), 0, "more than 256 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := clientOfAnsweringPeer(t, tt.answer)
			n, err := c.Deliver(t.Context(), sinktest.Events(1, 3))
			if n != tt.accepted || (err == nil) != (tt.want == "") || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("accepted %d events, %v", n, err)
			}
			if err != nil && !event.IsVisible([]byte(err.Error())) {
				t.Errorf("the error could act on a terminal: %q", err)
			}
		})
	}
}

// clientOfAnsweringPeer returns a client of a peer that reads three lines, answers, and disconnects.
func clientOfAnsweringPeer(t *testing.T, answer string) *Client {
	t.Helper()
	l, address, _ := sinktest.Listen(t, "unix")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for range 3 {
			_, _ = in.ReadSlice('\n') // the client reports the error
		}
		io.WriteString(conn, answer) // likewise
	}()
	config := connectConfig("unix", address)
	config.Acknowledge = true
	c := NewClient(config, jsonEnv())
	t.Cleanup(func() { c.Close() })
	return c
}

func TestClientWaitsForConfirmationUntilTheAttemptEnds(t *testing.T) {
	destination := startCollector(t, "tcp", false) // it stores events, but does not confirm
	config := connectConfig("tcp", destination.address)
	config.Acknowledge = true
	c := NewClient(config, jsonEnv())
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	n, err := c.Deliver(ctx, sinktest.Events(1, 10))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("accepted %d events, %v", n, err)
	}
}

// The collector closes when the next event arrives, so the client cannot detect it before.
func TestIdleConnectionClosedByTheCollectorIsNotAFailure(t *testing.T) {
	l, address, _ := sinktest.Listen(t, "tcp")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			line, _ := in.ReadBytes('\n')
			var e struct{ ID string }
			_ = json.Unmarshal(line, &e) // the client reports the error
			fmt.Fprintln(conn, e.ID)
			in.ReadByte() // the next event
			conn.Close()
		}
	}()
	config := connectConfig("tcp", address)
	config.Acknowledge = true
	c := NewClient(config, jsonEnv())
	defer c.Close()
	for i := range 5 {
		if n, err := c.Deliver(t.Context(), sinktest.Events(i+1, 1)); n != 1 || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
	}
}

// Every partition of the bytes results in the same lines, which do not exceed the limit,
// and does not panic.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		"", "a\nb\r\n\n", strings.Repeat("x", 300), strings.Repeat("x", 256) + "\n",
		strings.Repeat("x\n", 5000),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, wholeErr := readLines(bytes.NewReader(text))
		single, singleErr := readLines(iotest.OneByteReader(bytes.NewReader(text)))
		if !bytes.Equal(whole, single) || errors.Is(wholeErr, io.EOF) != errors.Is(singleErr, io.EOF) {
			t.Errorf("%q, %v; one byte at a time %q, %v", whole, wholeErr, single, singleErr)
		}
		for line := range bytes.Lines(whole) {
			if len(line) > longestAnswer+1 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	})
}

// readLines returns the lines up to the first error.
func readLines(in io.Reader) (lines []byte, err error) {
	var a answers
	for {
		line, err := a.next(in.Read)
		if err != nil {
			return lines, err
		}
		lines = append(append(lines, line...), '\n')
	}
}

// socat represents other programs at both ends: it receives from a client, and prints the
// broadcast of a listener.
func TestSocat(t *testing.T) {
	socat := sinktest.Program(t, "socat")
	dir := t.TempDir()
	events := sinktest.Events(1, 1000)
	want := ""
	for i := range events {
		want += string(events[i].AppendJSON(nil)) + "\n"
	}
	gets := func(file string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(filepath.Join(dir, file))
			return string(text) == want
		}
	}
	t.Run("client", func(t *testing.T) {
		path := filepath.Join(dir, "in.sock")
		run(t, socat, "-u", "UNIX-LISTEN:"+path, "CREATE:"+filepath.Join(dir, "client"))
		c := NewClient(connectConfig("unix", path), jsonEnv())
		defer c.Close()
		// The file exists before socat listens, and socat accepts one connection only.
		var n int
		var err error
		poll.Until(t, "socat listens", func() bool {
			n, err = c.Deliver(t.Context(), events)
			return !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED)
		})
		if n != len(events) || err != nil {
			t.Fatalf("accepted %d events, %v", n, err)
		}
		poll.Until(t, "socat has the event", gets("client"))
	})
	t.Run("listener", func(t *testing.T) {
		l := newListener(t, 1<<20)
		run(t, socat, "-u", "UNIX-CONNECT:"+l.path, "CREATE:"+filepath.Join(dir, "listener"))
		poll.Until(t, "socat is connected", func() bool { return l.Stats().Readers == 1 })
		deliver(t, l, 1, 1000)
		poll.Until(t, "socat has the event", gets("listener"))
	})
}

// run starts a program that ends with the test.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	program := exec.Command(name, args...)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		program.Process.Kill() // it may have ended
		program.Wait()         // killed
	})
}

func TestBatchStartsOnANewConnectionAtTheAgeLimit(t *testing.T) {
	for _, acknowledge := range []bool{false, true} {
		l, address, _ := sinktest.Listen(t, "tcp")
		connections := make(chan struct{}, 10)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				connections <- struct{}{}
				for in := bufio.NewScanner(conn); in.Scan(); {
					var e struct{ ID string }
					_ = json.Unmarshal(in.Bytes(), &e) // the client reports the wrong id
					if acknowledge {
						fmt.Fprintln(conn, e.ID)
					}
				}
				conn.Close()
			}
		}()
		config := connectConfig("tcp", address)
		config.Acknowledge, config.MaxConnectionAge = acknowledge, value.Duration(time.Nanosecond)
		c := NewClient(config, jsonEnv())
		for i := range 3 {
			if n, err := c.Deliver(t.Context(), sinktest.Events(i+1, 1)); n != 1 || err != nil {
				t.Errorf("accepted %d events, %v", n, err)
			}
			<-connections
		}
		c.Close()
	}
}
