// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A Reloader reloads the configuration. An invalid configuration is an *api.Error with
// Faults.
type Reloader interface {
	Reload(ctx context.Context) (*api.Reload, error)
}

func reload(r Reloader, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		log.Info("an operator requested a reload of the configuration", caller(req)...)
		done, err := r.Reload(req.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		answerOne(w, done)
	}
}
