// SPDX-License-Identifier: Apache-2.0

// Package control serves operators over HTTP: metrics, liveness, readiness and the
// configuration on one address, and the API of genltestctl on a Unix socket.
package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/genltestd/genltestd/daemon/liblog"
)

// A Check returns the current faults, one line each. The lines must not contain untrusted
// text.
type Check func() []string

// A Server serves the pages or the API of genltestctl on one address.
type Server struct {
	listener *limiter
	handler  http.Handler
	server   *http.Server
}

// Maximum connections of each server. Prometheus and a browser need a few. A client that
// opens more closes its own idle ones.
const (
	maxPageConns   = 16
	maxSocketConns = 8
)

// Pages are the contents that a Server shows.
type Pages struct {
	Metrics prometheus.Gatherer
	Refresh func() // called before each scrape
	Health  Check  // faults of the process
	Ready   Check  // faults that prevent receiving or delivering
	// Config writes the active configuration without secrets.
	Config func(io.Writer) error
}

// Listen binds the address, so that an address in use is an error at start-up.
func Listen(address string, pages Pages, log *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w by another program; stop it (ss -tlnp shows it), or configure another port", err)
	}
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	return newServer(listener, Handler(pages, log), log), nil
}

// newServer returns a server for the pages.
func newServer(listener net.Listener, handler http.Handler, log *slog.Logger) *Server {
	s := serve(limit(listener, maxPageConns, log), handler)
	s.server.ReadTimeout, s.server.WriteTimeout = 10*time.Second, 30*time.Second
	return s
}

func serve(l *limiter, handler http.Handler) *Server {
	return &Server{listener: l, handler: handler, server: &http.Server{
		Handler:           l.watch(handler),
		ConnContext:       withConn,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          liblog.New(l.log, slog.LevelWarn),
	}}
}

// Handler routes the pages.
func Handler(pages Pages, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(pages.Metrics, promhttp.HandlerOpts{
		ErrorLog:            liblog.New(log, slog.LevelError),
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 8,
		Timeout:             10 * time.Second,
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		pages.Refresh()
		scrape.ServeHTTP(w, r)
	})
	mux.Handle("GET /healthz", page(pages.Health))
	mux.Handle("GET /readyz", page(pages.Ready))
	mux.HandleFunc("GET /config", text(pages.Config))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, index)
	})
	return mux
}

const index = `genltestd

/metrics  Prometheus metrics
/healthz  is the process alive
/readyz   does it receive and deliver
/config   the configuration in effect, without secrets
`

// page returns a handler that answers 200 and "ok", or 503 and the faults.
func page(check Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asText(w)
		if faults := check(); len(faults) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, strings.Join(faults, "\n"))
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

// text returns a handler that answers with the complete output of write, or with its error.
func text(write func(io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var page bytes.Buffer
		if err := write(&page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		asText(w)
		fmt.Fprint(w, page.String())
	}
}

// asText sets the headers of a plain text that must not be cached.
func asText(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
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
	err := s.server.Serve(s.listener)
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
