// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// minIdle is how long a connection may do nothing before another may take its place:
	// enough for a client to send its request.
	minIdle = 200 * time.Millisecond

	// acceptPause is the wait after a failure to accept, for want of descriptors say.
	acceptPause = 200 * time.Millisecond
)

// A limiter accepts connections up to a limit. For one beyond it, the connection that has
// been idle the longest is closed: clients that open connections and keep them neither
// use up the daemon's descriptors nor keep others from being answered.
type limiter struct {
	net.Listener
	most      int
	writeTime time.Duration // that each write to a connection may take; 0 leaves it to the server
	log       *slog.Logger

	mu      sync.Mutex
	conns   map[*conn]bool
	changed chan struct{} // a connection was closed, or has become idle
	closed  chan struct{}
	once    sync.Once
}

// A conn is idle while no request of it is being answered.
type conn struct {
	net.Conn
	limiter *limiter
	busy    bool      // the limiter's mu guards it
	since   time.Time // it is idle
}

func limit(l net.Listener, most int, log *slog.Logger) *limiter {
	return &limiter{Listener: l, most: most, log: log, conns: map[*conn]bool{}, changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Accept implements net.Listener. It fails only when the listener is closed or broken.
func (l *limiter) Accept() (net.Conn, error) {
	for failing := false; ; {
		c, err := l.Listener.Accept()
		if err == nil {
			if failing {
				l.log.Info("accepting connections again")
			}
			return l.admit(c)
		}
		if !isShortage(err) {
			return nil, err
		}
		if !failing {
			l.log.Error("cannot accept connections; closing idle ones and trying again", "error", err)
			failing = true
		}
		if idle, _ := l.oldest(); idle != nil {
			idle.Close() // nothing is under way
		}
		if !l.wait(acceptPause) {
			return nil, net.ErrClosed
		}
	}
}

// isShortage reports whether accept may succeed later.
func isShortage(err error) bool {
	for _, errno := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// admit makes room for a connection.
func (l *limiter) admit(accepted net.Conn) (net.Conn, error) {
	for {
		if c := l.add(accepted); c != nil {
			return c, nil
		}
		idle, left := l.oldest()
		switch {
		case idle == nil:
			left = time.Hour // until one of those that are busy has been answered
		case left <= 0:
			idle.Close() // nothing is under way
			continue
		}
		if !l.wait(left) {
			return nil, errors.Join(net.ErrClosed, accepted.Close())
		}
	}
}

// add returns nil when there is no room.
func (l *limiter) add(accepted net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.most {
		return nil
	}
	c := &conn{Conn: accepted, limiter: l, since: time.Now()}
	l.conns[c] = true
	return c
}

// oldest returns the connection that has been idle the longest, nil if none is idle, and
// how long it may stay.
func (l *limiter) oldest() (oldest *conn, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if !c.busy && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	if oldest != nil {
		left = minIdle - time.Since(oldest.since)
	}
	return oldest, left
}

// wait returns after a time or a change, and reports whether the listener is open.
func (l *limiter) wait(most time.Duration) bool {
	timer := time.NewTimer(most)
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
	if most := c.limiter.writeTime; most > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(most)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// update changes the state of a connection.
func (l *limiter) update(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default: // one that was not noticed yet
	}
}

type connKey struct{}

// withConn is http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// watch notes which connections are busy.
func (l *limiter) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			l.update(func() { c.busy = true })
			defer l.update(func() { c.busy, c.since = false, time.Now() })
		}
		next.ServeHTTP(w, r)
	})
}
