// SPDX-License-Identifier: Apache-2.0

// Package web serves the pages: status, metrics, liveness, readiness and the configuration. All who
// can connect may read them, and they change nothing.
package web

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/liblog"
)

// Pages are the contents that the server shows.
type Pages struct {
	Metrics prometheus.Gatherer
	Refresh func() // called before each scrape
	Health  Check  // faults of the process
	Ready   Check  // faults that prevent receiving or delivering
	Status  func() *api.Status
	// Config writes the active configuration without secrets.
	Config func(io.Writer) error
}

const (
	// scrapesAtOnce is the number of scrapes that are served at once. A scrape continues after its time
	// limit, so on a slow machine more of them would make each other exceed it.
	scrapesAtOnce = 3
	scrapeTime    = 25 * time.Second // less than serverOptions.AnswerTime
)

// Handler routes the pages.
func Handler(pages Pages, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(pages.Metrics, promhttp.HandlerOpts{
		ErrorLog:            liblog.New(log, slog.LevelError),
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTime,
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		pages.Refresh()
		scrape.ServeHTTP(w, r)
	})
	mux.Handle("GET /healthz", page(pages.Health))
	mux.Handle("GET /readyz", page(pages.Ready))
	mux.HandleFunc("GET /config", text(pages.Config))
	addStatus(mux, pages.Status)
	return mux
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
