// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkBytes = 16 << 10
	// queuedChunks bounds the bytes of a direction that the proxy holds. A sender is blocked then,
	// as by a server that hangs.
	queuedChunks = 64
)

// A link is a forwarded connection.
type link struct {
	client, server net.Conn
	once           sync.Once
	done           chan struct{} // closed by reset
	lostReplies    atomic.Bool
}

// reset closes both connections at once, without sending what is left.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.done)
		resetConn(l.client)
		resetConn(l.server)
	})
}

func resetConn(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it fails if the connection has ended
	}
	c.Close()
}

// A chunk is a part of a stream.
type chunk struct {
	data []byte
	at   time.Time // of its receipt
}

// forward returns when both directions have ended.
func (p *Proxy) forward(l *link) {
	var directions sync.WaitGroup
	directions.Go(func() { p.pump(l, l.client, l.server, false) })
	directions.Go(func() { p.pump(l, l.server, l.client, true) })
	directions.Wait()
}

// pump forwards one direction.
func (p *Proxy) pump(l *link, from, to net.Conn, replies bool) {
	chunks := make(chan chunk, queuedChunks)
	go p.read(l, from, chunks)
	var free time.Time // when the limit of the rate allows the next chunk
	for c := range chunks {
		if !p.hold(l, c, free) {
			return
		}
		f, _ := p.state()
		if replies && f.dropReplies {
			l.lostReplies.Store(true)
			continue
		}
		if _, err := to.Write(c.data); err != nil {
			l.reset()
			return
		}
		if f.rate > 0 {
			free = time.Now().Add(time.Duration(len(c.data)) * time.Second / time.Duration(f.rate))
		}
	}
	closeWrite(to)
}

// read reads one direction until it ends. An error other than the end resets the link.
func (p *Proxy) read(l *link, from net.Conn, chunks chan<- chunk) {
	defer close(chunks)
	for {
		data := make([]byte, p.chunkSize())
		n, err := from.Read(data)
		if n > 0 {
			select {
			case chunks <- chunk{data[:n], time.Now()}:
			case <-l.done:
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.reset()
			}
			return
		}
	}
}

// chunkSize returns the size of chunks, which is small at a limited rate so that bytes arrive steadily.
func (p *Proxy) chunkSize() int {
	f, _ := p.state()
	if f.rate == 0 {
		return chunkBytes
	}
	return max(1, min(chunkBytes, f.rate/20))
}

// hold waits until the faults allow that c is forwarded, at free at the earliest. It returns false
// if the link has ended.
func (p *Proxy) hold(l *link, c chunk, free time.Time) bool {
	for {
		f, changed := p.state()
		wait := time.Until(c.at.Add(f.delay))
		if f.rate > 0 {
			wait = max(wait, time.Until(free))
		}
		if !f.hang && wait <= 0 {
			return true
		}
		if !pause(f.hang, wait, changed, l.done) {
			return false
		}
	}
}

// pause returns after wait, which is endless for a proxy that hangs, or when the faults change.
func pause(hang bool, wait time.Duration, changed, done <-chan struct{}) bool {
	var elapsed <-chan time.Time
	if !hang {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-elapsed:
	case <-changed:
	case <-done:
		return false
	}
	return true
}

func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // it fails if the connection has ended
	}
}
