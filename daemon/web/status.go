// SPDX-License-Identifier: Apache-2.0

package web

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
)

//go:embed static
var static embed.FS

// policy is the Content-Security-Policy of the page.
//
//go:embed static/policy
var policy string

// statusPage works without JavaScript. With it, static/status.js replaces the texts by those of
// status.json, and draws the charts.
var statusPage = template.Must(template.ParseFS(static, "static/status.html"))

// addStatus adds the status page and its parts. All addresses in the page are relative, so that it
// works behind a proxy that adds a prefix.
func addStatus(mux *http.ServeMux, status func() *api.Status) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		protect(w, "text/html; charset=utf-8")
		_ = statusPage.Execute(w, viewOf(status())) // fails only if the client is gone
	})
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		protect(w, "application/json")
		_ = json.NewEncoder(w).Encode(viewOf(status()))
	})
	for name, kind := range map[string]string{"status.css": "text/css; charset=utf-8", "status.js": "text/javascript; charset=utf-8"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			protect(w, kind)
			http.ServeFileFS(w, r, static, "static/"+name)
		})
	}
}

// protect sets the headers of a page that a browser shows. Nothing in it may load or run
// what the daemon has not sent.
func protect(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", strings.TrimSpace(policy))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}
