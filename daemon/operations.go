// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"net/http"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
)

// operations are what the operator's client can ask for.
type operations struct{ boxes }

var _ control.Operations = operations{}

// Reload implements control.Reloader.
func (o operations) Reload(ctx context.Context) (*api.Reload, error) {
	done, err := o.daemon.Reload(ctx)
	var faults config.Errors
	switch {
	case errors.As(err, &faults):
		refused := &api.Error{Status: http.StatusUnprocessableEntity, Message: "the configuration is at fault; the daemon goes on with the one before"}
		for _, f := range faults {
			refused.Faults = append(refused.Faults, f.Error())
		}
		return nil, refused
	case errors.Is(err, ErrStopping):
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: err.Error()}
	}
	return done, err
}
