// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// A Reloader reads the configuration anew. The error is an *api.Error with the faults
// when the configuration is at fault.
type Reloader interface {
	Reload(ctx context.Context) (*api.Reload, error)
}

func reload(r Reloader, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		log.Info("an operator asked to reload the configuration")
		done, err := r.Reload(req.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		_ = newLines(w).add(done) // nobody is left to tell
	}
}
