// SPDX-License-Identifier: Apache-2.0

// Package control answers operators over HTTP: metrics, liveness, readiness, the
// configuration.
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

// A Check returns what is wrong, one line each; none when all is well. The lines
// must not contain untrusted text.
type Check func() []string

// A Server serves the pages, or the operator's client, on one address.
type Server struct {
	listener *limiter
	handler  http.Handler
	server   *http.Server
}

// The connections at once of each server. Prometheus and a browser need a few; a client
// that keeps more closes its own idle ones.
const (
	mostOfPages  = 16
	mostOfSocket = 8
)

// Pages is what a Server shows.
type Pages struct {
	Metrics prometheus.Gatherer
	Refresh func() // called before each scrape
	Health  Check  // of the process
	Ready   Check  // to receive and deliver
	// Config writes what is in effect, without secrets.
	Config func(io.Writer) error
}

// Listen binds the address, so that an address in use is an error at start.
func Listen(address string, pages Pages, log *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w by another program; stop it (ss -tlnp shows it), or write another port", err)
	}
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	return newServer(listener, Handler(pages, log), log), nil
}

// newServer returns the server of the pages.
func newServer(listener net.Listener, handler http.Handler, log *slog.Logger) *Server {
	s := serve(limit(listener, mostOfPages, log), handler)
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
		fmt.Fprint(w, "genltestd\n\n/metrics  Prometheus metrics\n/healthz  is the process alive\n/readyz   does it receive and deliver\n/config   the configuration in effect, without secrets\n")
	})
	return mux
}

// page answers 200 and "ok", or 503 and what is wrong.
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

// text answers with what write writes, as a whole or not at all.
func text(write func(io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var page bytes.Buffer
		if err := write(&page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		asText(w)
		w.Write(page.Bytes()) // nobody is left to tell
	}
}

// asText has browsers show a page that is true for the moment.
func asText(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

// Addr returns the bound address.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until the context ends, then gives requests under way a moment.
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

// Close frees the address of a server that was never run.
func (s *Server) Close() error { return s.listener.Close() }
