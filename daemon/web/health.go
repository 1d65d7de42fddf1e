// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A Check returns the present health. Its texts must not contain untrusted text.
type Check func() api.Health

// page returns a handler that answers 200 and "ok", or 503 and the faults: as text, or as an
// api.Health for a client that accepts JSON or asks for ?format=json.
func page(check Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, code := check(), http.StatusOK
		if !h.OK {
			code = http.StatusServiceUnavailable
		}
		asText(w)
		w.Header().Set("Vary", "Accept")
		switch {
		case wantsJSON(r):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(h) // an error means that the client has gone
		case h.OK:
			fmt.Fprintln(w, "ok")
		default:
			w.WriteHeader(code)
			fmt.Fprintln(w, strings.Join(h.Faults, "\n"))
		}
	})
}

// wantsJSON reports whether a client asks for JSON. A client that accepts anything gets text.
func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}
