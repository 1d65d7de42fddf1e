// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/inspect"
	"github.com/genltestd/genltestd/daemon/reload"
)

// operations are the requests that the operator's client can make.
type operations struct {
	deadLetterAPI
	*inspect.Inspector
	reloads *reload.Reloader
	status  func() *api.Status
}

var _ control.Operations = operations{}

// Status implements control.Operations.
func (o operations) Status() *api.Status { return o.status() }

// Reload implements control.Reloader.
func (o operations) Reload(ctx context.Context) (*api.Reload, error) {
	done, err := o.reloads.Reload(ctx)
	var faults config.Errors
	switch {
	case errors.As(err, &faults):
		rejected := &api.Error{
			Status: http.StatusUnprocessableEntity, Message: "the configuration is at fault; the daemon keeps the previous one",
		}
		for _, f := range faults {
			rejected.Faults = append(rejected.Faults, f.Error())
		}
		return nil, rejected
	case errors.Is(err, reload.ErrStopping):
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: err.Error()}
	}
	return done, err
}

// newInspector returns the part that shows events to operators.
func (d *Daemon) newInspector() *inspect.Inspector {
	return &inspect.Inspector{
		Journal: d.journal, Decoder: d.decoder, Pipelines: d.pipelines, Config: d.reloads.Config, Specs: d.specs.Load,
		Loaded: func() time.Time { return d.reloads.State().Since }, Started: d.clock.Now(),
	}
}
