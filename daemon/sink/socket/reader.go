// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// A reader is one connection to a listener, with its waiting data.
type reader struct {
	conn  *net.UnixConn
	limit int // maximum number of waiting bytes, including those being written

	mu      sync.Mutex
	changed *sync.Cond
	waiting []byte // whole lines
	writing int    // bytes
	missed  uint64 // dropped events, which follow the waiting ones
	ended   bool
}

func newReader(conn *net.UnixConn, limit int) *reader {
	r := &reader{conn: conn, limit: limit}
	r.changed = sync.NewCond(&r.mu)
	// Data that the reader sends then fails at its side, and costs nothing here.
	_ = conn.CloseRead() // write detects a connection that has ended
	return r
}

// put appends as many leading lines as fit. It returns the number of missed events, and
// never waits.
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

// resume reports whether a reader that missed events receives the next one: its buffer
// must be at most half full, so that it receives runs of events instead of single ones.
// The line about the missed events precedes them.
func (r *reader) resume() bool {
	if r.writing+len(r.waiting) > r.limit/2 {
		return false
	}
	r.waiting = fmt.Appendf(r.waiting, "{\"kind\":\"missed\",\"count\":%d}\n", r.missed)
	r.missed = 0
	return true
}

// write writes waiting data until the connection has ended, and closes it.
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

// take returns all waiting data, and leaves the spare buffer for new data. A reader that
// has missed events receives the report after all waiting events.
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

// watch closes the connection when the reader has disconnected, which write would notice
// only at its next write. A reader that has only closed its sending side stays connected.
func (r *reader) watch() {
	defer r.end()
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool { // on every error
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
	r.conn.Close() // only the first call succeeds
}
