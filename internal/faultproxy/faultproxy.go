// SPDX-License-Identifier: Apache-2.0

// Package faultproxy is a TCP proxy in front of a real server that a test makes faulty: the
// network is cut, is slow, loses replies, or hangs.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy forwards connections to one server. Its methods are safe for concurrent use, and take
// effect on open and on new connections. Faults add up until Restore.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	faults  faults
	changed chan struct{} // closed when the faults change
	links   map[*link]struct{}
	closed  bool
}

// faults are the faults of a proxy; the zero value forwards without a fault.
type faults struct {
	cut, hang, dropReplies bool

	delay time.Duration
	rate  int // bytes per second; 0: no limit
}

// New starts a proxy on loopback in front of the server with this address. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), links: make(map[*link]struct{})}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr returns the address of the proxy, such as 127.0.0.1:40123.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets all connections, and each new one.
func (p *Proxy) Cut() {
	p.change(func(f *faults) { f.cut = true })
	p.resetLinks(func(*link) bool { return true })
}

// Reset resets the open connections once. New ones are forwarded.
func (p *Proxy) Reset() { p.resetLinks(func(*link) bool { return true }) }

// Delay forwards bytes in both directions with this delay, in order and without a limit of the rate.
func (p *Proxy) Delay(d time.Duration) { p.change(func(f *faults) { f.delay = d }) }

// Throttle limits the rate of each direction of each connection.
func (p *Proxy) Throttle(bytesPerSecond int) { p.change(func(f *faults) { f.rate = bytesPerSecond }) }

// Hang stops forwarding. Connections stay open, and new ones are accepted.
func (p *Proxy) Hang() { p.change(func(f *faults) { f.hang = true }) }

// DropReplies discards the bytes that the server sends, and forwards those to the server.
func (p *Proxy) DropReplies() { p.change(func(f *faults) { f.dropReplies = true }) }

// Restore ends all faults. Connections that have lost replies are reset, as their streams have gaps.
func (p *Proxy) Restore() {
	p.change(func(f *faults) { *f = faults{} })
	p.resetLinks(func(l *link) bool { return l.lostReplies.Load() })
}

func (p *Proxy) change(set func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set(&p.faults)
	close(p.changed)
	p.changed = make(chan struct{})
}

// state returns the faults, and a channel that is closed when they change.
func (p *Proxy) state() (faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults, p.changed
}

func (p *Proxy) resetLinks(affected func(*link) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if affected(l) {
			l.reset()
		}
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve forwards one connection until it ends.
func (p *Proxy) serve(client net.Conn) {
	f, _ := p.state()
	if f.cut {
		resetConn(client)
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		resetConn(client)
		return
	}
	l := &link{client: client, server: server, done: make(chan struct{})}
	if p.add(l) {
		p.forward(l)
	}
	l.reset()
	p.remove(l)
}

// add returns false if the proxy has been cut in the meantime.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.cut || p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
