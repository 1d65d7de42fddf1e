// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An echo is a server that returns each line, and counts the lines.
type echo struct {
	address string
	lines   atomic.Int64
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	e := &echo{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go e.serve(c)
		}
	}()
	return e
}

func (e *echo) serve(c net.Conn) {
	defer c.Close()
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		e.lines.Add(1)
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
}

// A client exchanges lines.
type client struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, p *Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{c, bufio.NewReader(c)}
}

// once exchanges one line through a new connection.
func once(p *Proxy, line string) error {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	return (&client{c, bufio.NewReader(c)}).exchange(line)
}

func (c *client) exchange(line string) error {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	got, err := c.lines.ReadString('\n')
	if err == nil && got != line+"\n" {
		return errors.New("the reply is " + got)
	}
	return err
}

func (c *client) mustExchange(t *testing.T, line string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(time.Minute))
	if err := c.exchange(line); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// silent checks that no reply arrives.
func (c *client) silent(t *testing.T, line string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if err := c.exchange(line); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%s: %v, want no reply", line, err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
}

func TestForwardsBothDirectionsAndTheirEnds(t *testing.T) {
	p := New(t, startEcho(t).address)
	c := dial(t, p)
	c.mustExchange(t, "first")
	c.mustExchange(t, strings.Repeat("long", 100_000))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.lines); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestCutResetsOpenAndNewConnections(t *testing.T) {
	p := New(t, startEcho(t).address)
	c := dial(t, p)
	c.mustExchange(t, "before")
	p.Cut()
	if err := c.exchange("cut"); err == nil {
		t.Error("an open connection works after Cut")
	}
	if err := once(p, "cut"); err == nil {
		t.Error("a new connection works after Cut")
	}
	p.Restore()
	dial(t, p).mustExchange(t, "after")
}

func TestResetLeavesNewConnections(t *testing.T) {
	p := New(t, startEcho(t).address)
	c := dial(t, p)
	c.mustExchange(t, "before")
	p.Reset()
	if err := c.exchange("reset"); err == nil {
		t.Error("an open connection works after Reset")
	}
	dial(t, p).mustExchange(t, "after")
}

// A client without a server is reset while it connects, or later.
func TestMissingServerResetsTheClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := New(t, l.Addr().String())
	if err := once(p, "to no server"); err == nil {
		t.Error("an exchange without a server succeeded")
	}
}

func TestHangKeepsConnectionsAndBytes(t *testing.T) {
	e := startEcho(t)
	p := New(t, e.address)
	open := dial(t, p)
	open.mustExchange(t, "before")
	p.Hang()
	open.silent(t, "held")
	dial(t, p).silent(t, "held too")
	if n := e.lines.Load(); n != 1 {
		t.Errorf("%d lines arrived at the server, want 1", n)
	}
	p.Restore()
	if line, err := open.lines.ReadString('\n'); line != "held\n" {
		t.Errorf("after Restore: %q, %v", line, err)
	}
}

func TestDropRepliesForwardsRequestsAndResetsOnRestore(t *testing.T) {
	e := startEcho(t)
	p := New(t, e.address)
	c := dial(t, p)
	c.mustExchange(t, "before")
	p.DropReplies()
	c.silent(t, "lost")
	if n := e.lines.Load(); n != 2 {
		t.Errorf("%d lines arrived at the server, want 2", n)
	}
	p.Restore()
	if err := c.exchange("after"); err == nil {
		t.Error("a connection with a gap still works")
	}
	dial(t, p).mustExchange(t, "after")
}

// The clock is that of the kernel, so only lower bounds are certain.
func TestDelayAppliesToEachDirection(t *testing.T) {
	p := New(t, startEcho(t).address)
	c := dial(t, p)
	c.mustExchange(t, "before")
	const delay = 60 * time.Millisecond
	p.Delay(delay)
	began := time.Now()
	c.mustExchange(t, "slow")
	if took := time.Since(began); took < 2*delay {
		t.Errorf("an exchange lasted %v, want at least %v", took, 2*delay)
	}
}

func TestThrottleLimitsTheRate(t *testing.T) {
	p := New(t, startEcho(t).address)
	c := dial(t, p)
	c.mustExchange(t, "before")
	p.Throttle(100_000)
	line := string(bytes.Repeat([]byte("x"), 20_000))
	began := time.Now()
	c.mustExchange(t, line)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("20,000 bytes at 100,000 a second lasted %v", took)
	}
}
