// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A hook answers webhooks: sometimes slowly, and sometimes with an error.
type hook struct {
	arrivals
	requests  atomic.Int64
	open      atomic.Int64 // connections
	immediate atomic.Bool  // it answers at once and without errors
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			http.Error(w, "no gzip", http.StatusServiceUnavailable)
			return
		}
	}
	text, err := io.ReadAll(body)
	n := h.requests.Add(1)
	if err != nil || n%13 == 5 && !h.immediate.Load() {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	h.record(numbers(messageField, text)...)
	if n%7 == 3 && !h.immediate.Load() {
		select { // longer than a reload waits
		case <-time.After(4 * loadTestDrain):
		case <-r.Context().Done():
		}
	}
}

func (h *hook) connState(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		h.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.open.Add(-1)
	}
}

// A collector reads lines from a unix socket, and confirms them if confirms is true.
type collector struct {
	listener net.Listener
	confirms bool
	done     sync.WaitGroup
	open     atomic.Int64 // connections

	mu    sync.Mutex
	conns [][]uint64 // the numbers from each connection, in the order of the connections
}

func collect(t *testing.T, path string, confirms bool) *collector {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{listener: l, confirms: confirms}
	c.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			at := len(c.conns)
			c.conns = append(c.conns, nil)
			c.mu.Unlock()
			c.open.Add(1)
			c.done.Go(func() {
				defer c.open.Add(-1)
				defer conn.Close()
				c.serve(conn, at)
			})
		}
	})
	return c
}

func (c *collector) serve(conn net.Conn, at int) {
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return // the last line may be cut
		}
		c.mu.Lock()
		c.conns[at] = append(c.conns[at], numbers(messageField, line)...)
		c.mu.Unlock()
		id := idField.FindSubmatch(line)
		if c.confirms && id != nil {
			if _, err := conn.Write(append(id[1], '\n')); err != nil {
				return
			}
		}
	}
}

// arrivalsAtCollectors merges the numbers of all connections to the collectors. The numbers of each
// connection must ascend.
func arrivalsAtCollectors(t *testing.T, collectors ...*collector) (all *arrivals, conns int) {
	t.Helper()
	all = &arrivals{}
	for _, c := range collectors {
		for _, numbers := range c.conns {
			one := &arrivals{}
			one.record(numbers...)
			if len(one.outOfOrder) > 0 || one.repeated > 0 {
				t.Errorf("one connection: %d events twice, out of order: %q", one.repeated, one.outOfOrder)
			}
			all.record(numbers...)
		}
		conns += len(c.conns)
	}
	return all, conns
}

func (c *collector) stop() {
	c.listener.Close()
	c.done.Wait()
}
