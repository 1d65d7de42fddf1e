// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// A reader is one connection to a listener, with what waits for it.
type reader struct {
	conn  *net.UnixConn
	limit int // bytes that may wait, those being written among them

	mu      sync.Mutex
	changed *sync.Cond
	waiting []byte // whole lines
	writing int    // bytes
	missed  uint64 // events behind those waiting that had no room
	ended   bool
}

func newReader(conn *net.UnixConn, limit int) *reader {
	r := &reader{conn: conn, limit: limit}
	r.changed = sync.NewCond(&r.mu)
	// So that what it sends fails at its side, and costs nothing here.
	_ = conn.CloseRead() // a connection that has ended is found by write
	return r
}

// put adds as many leading lines as there is room for. It returns how many are missed,
// and never waits.
func (r *reader) put(text []byte) (missed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return 0
	}
	if r.missed == 0 || r.resume() {
		n := len(text)
		if room := r.limit - r.writing - len(r.waiting); n > room {
			n = bytes.LastIndexByte(text[:max(room, 0)], '\n') + 1
		}
		r.waiting = append(r.waiting, text[:n]...)
		text = text[n:]
		r.changed.Signal()
	}
	missed = uint64(bytes.Count(text, []byte("\n")))
	r.missed += missed
	return missed
}

// resume says whether a reader that missed events gets the next: when its buffer is
// at most half full, so that it gets stretches and not an event now and then. The line
// about those it has missed goes first.
func (r *reader) resume() bool {
	if r.writing+len(r.waiting) > r.limit/2 {
		return false
	}
	r.waiting = fmt.Appendf(r.waiting, "{\"kind\":\"missed\",\"count\":%d}\n", r.missed)
	r.missed = 0
	return true
}

// write writes what waits until the connection has ended, and ends it.
func (r *reader) write() {
	defer r.end()
	var spare []byte
	for {
		text, ok := r.take(spare)
		if !ok {
			return
		}
		if _, err := r.conn.Write(text); err != nil {
			return
		}
		spare = text
	}
}

// take returns all that waits, and leaves the spare buffer for what comes next. A
// reader that has missed events is told when it has taken all others.
func (r *reader) take(spare []byte) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writing = 0
	if len(r.waiting) == 0 && r.missed > 0 {
		r.resume()
	}
	for len(r.waiting) == 0 && !r.ended {
		r.changed.Wait()
	}
	text := r.waiting
	r.waiting, r.writing = spare[:0], len(text)
	return text, !r.ended
}

// watch ends the connection when the reader has gone, which write would not notice
// before there is something to write. A reader that has closed its sending side only
// stays.
func (r *reader) watch() {
	defer r.end()
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool { // whatever ends it
		state := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(state, 0)
		return err == nil && state[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}

func (r *reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.changed.Signal()
	r.conn.Close() // all but the first fail
}
