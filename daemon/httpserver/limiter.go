// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/ratelog"
)

const (
	// minIdle is how long a connection may be idle before another one can replace it: long
	// enough for a client to send its request.
	minIdle = 200 * time.Millisecond

	// acceptPause is the pause after accept failed, for example for lack of descriptors.
	acceptPause = 200 * time.Millisecond
)

// A limiter accepts a limited number of connections. When another one arrives, it closes
// the connection that has been idle the longest. So clients that keep connections open
// neither exhaust the daemon's descriptors nor block other clients.
type limiter struct {
	net.Listener
	maxConns  int
	writeTime time.Duration // maximum duration of each write to a connection; 0 means the server's limit
	log       *slog.Logger
	repeated  *ratelog.Logger // log, with limits
	begin     func()          // called once, before the first connection is accepted

	mu      sync.Mutex
	conns   map[*conn]bool
	changed chan struct{} // signals that a connection was closed or became idle
	closed  chan struct{}
	once    sync.Once
}

// A conn is idle while the server handles no request of it.
type conn struct {
	net.Conn
	limiter *limiter
	active  int       // number of requests that are handled; guarded by limiter.mu
	since   time.Time // start of the idle time
}

func limit(l net.Listener, maxConns int, log *slog.Logger) *limiter {
	return &limiter{
		Listener: l, maxConns: maxConns, log: log, repeated: ratelog.New(log), begin: func() {},
		conns: map[*conn]bool{}, changed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept implements net.Listener. It returns an error only if the listener is closed or
// broken.
func (l *limiter) Accept() (net.Conn, error) {
	const shortage = "cannot accept connections; will close idle ones and try again"
	l.begin()
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			l.repeated.Resolved(shortage, "accepting connections again")
			return l.admit(c)
		}
		if !isShortage(err) {
			return nil, err
		}
		l.repeated.Error(shortage, "error", err)
		if idle, _ := l.oldest(); idle != nil {
			idle.Close() // no request is active
		}
		if !l.wait(acceptPause) {
			return nil, net.ErrClosed
		}
	}
}

// isShortage reports whether a later accept may succeed.
func isShortage(err error) bool {
	for _, errno := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// admit waits until there is room for a connection.
func (l *limiter) admit(accepted net.Conn) (net.Conn, error) {
	for {
		if c := l.add(accepted); c != nil {
			return c, nil
		}
		idle, left := l.oldest()
		switch {
		case idle == nil:
			left = time.Hour // until a busy connection becomes idle
		case left <= 0:
			idle.Close() // no request is active
			continue
		}
		if !l.wait(left) {
			return nil, errors.Join(net.ErrClosed, accepted.Close())
		}
	}
}

// add returns nil if the limit is reached.
func (l *limiter) add(accepted net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.maxConns {
		return nil
	}
	c := &conn{Conn: accepted, limiter: l, since: time.Now()}
	l.conns[c] = true
	return c
}

// oldest returns the connection that has been idle the longest, or nil, and the time that it
// may still stay.
func (l *limiter) oldest() (oldest *conn, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.active == 0 && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	if oldest != nil {
		left = minIdle - time.Since(oldest.since)
	}
	return oldest, left
}

// wait waits for a change, at most for limit. It reports whether the listener is open.
func (l *limiter) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.changed:
	case <-l.closed:
		return false
	}
	return true
}

// Close implements net.Listener.
func (l *limiter) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.limiter.update(func() { delete(c.limiter.conns, c) })
	return c.Conn.Close()
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if limit := c.limiter.writeTime; limit > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// update changes the state of a connection and signals the change.
func (l *limiter) update(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default: // the previous signal was not received yet
	}
}

type connKey struct{}

// withConn implements http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// watch tracks which connections are busy.
func (l *limiter) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			l.update(func() { c.active++ })
			defer l.update(func() { c.active--; c.since = time.Now() })
		}
		next.ServeHTTP(w, r)
	})
}
