// SPDX-License-Identifier: Apache-2.0

// Package httpserver serves HTTP to a limited number of connections: the pages and the API of
// the daemon.
package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/liblog"
)

// Options of a Server. A time of 0 is unlimited.
type Options struct {
	// MaxConns is the maximum number of connections. For a further one, the connection that has
	// been idle the longest is closed.
	MaxConns    int
	HeaderBytes int           // maximum length of the request line and the headers; 0 means 16 KiB
	RequestTime time.Duration // for receiving a request
	AnswerTime  time.Duration // for sending a whole answer
	WriteTime   time.Duration // for each write to a connection, in place of AnswerTime

	// ConnContext adds values to the context of all requests of an accepted connection.
	ConnContext func(context.Context, net.Conn) context.Context

	// Serve serves a listener in place of the server's own method, for example with TLS.
	Serve func(*http.Server, net.Listener) error
}

// maxStreams is the maximum number of requests at once in one connection of HTTP/2.
const maxStreams = 8

// A Server serves a handler on one address.
type Server struct {
	listener *limiter
	options  Options
	server   *http.Server
}

// New returns a server for a listener. Run serves.
func New(listener net.Listener, handler http.Handler, o Options, log *slog.Logger) *Server {
	l := limit(listener, o.MaxConns, log)
	l.writeTime = o.WriteTime
	if o.Serve == nil {
		o.Serve = (*http.Server).Serve
	}
	server := &http.Server{
		Handler: handler,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			ctx = withConn(ctx, c)
			if accepted, ok := c.(*conn); ok && o.ConnContext != nil {
				ctx = o.ConnContext(ctx, accepted.Conn)
			}
			return ctx
		},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       o.RequestTime,
		WriteTimeout:      o.AnswerTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    cmp.Or(o.HeaderBytes, 16<<10),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          liblog.New(log, slog.LevelWarn),
	}
	// Serve may add an outer handler, for example to verify passwords. While that handler works, the
	// connection is not idle, so the requests are watched outside of it.
	l.begin = sync.OnceFunc(func() { server.Handler = l.watch(server.Handler) })
	return &Server{listener: l, options: o, server: server}
}

// Addr returns the bound address.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until the context ends, and then waits up to a second for active requests.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.server.Shutdown(grace) != nil {
			s.server.Close()
		}
	})
	defer s.listener.Close() // Serve may fail before it uses the listener
	err := s.options.Serve(s.server, s.listener)
	if !unwatch() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Close closes a server that was never run.
func (s *Server) Close() error { return s.listener.Close() }
