// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/inspect"
	"github.com/genltestd/genltestd/daemon/liblog"
	"github.com/genltestd/genltestd/daemon/reload"
	"github.com/genltestd/genltestd/metrics"
)

// operations are the requests that the operator's client can make.
type operations struct {
	deadLetterAPI
	sinkActions
	canaries
	*inspect.Inspector
	*Daemon
}

var _ control.Operations = operations{}

// Operators implements control.Operations.
func (o operations) Operators() string { return o.reloads.Config().Control.OperatorGroup }

// Config implements control.Settings.
func (o operations) Config(w io.Writer) error { return o.printConfig(w) }

// Files implements control.Settings.
func (o operations) Files(w io.Writer) error {
	cfg, err := o.reloads.Files()
	if err != nil {
		return configError(err, "the configuration in the files is at fault; the daemon uses another one")
	}
	return cfg.Print(w)
}

// LogLevel implements control.Settings.
func (o operations) LogLevel() api.LogLevel { return o.logLevel() }

// SetLogLevel implements control.Settings.
func (o operations) SetLogLevel(text string) error {
	var level config.LogLevel
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return &api.Error{Status: http.StatusBadRequest, Message: err.Error()}
	}
	o.opts.Level.Set(slog.Level(level))
	return nil
}

func (d *Daemon) logLevel() api.LogLevel {
	return api.LogLevel{Level: config.LogLevel(d.opts.Level.Level()).String(), Configured: d.reloads.Config().Log.Level.String()}
}

// Metrics implements control.Operations.
func (o operations) Metrics() http.Handler {
	scrape := promhttp.HandlerFor(o.pages.Metrics, promhttp.HandlerOpts{
		ErrorLog: liblog.New(component(o.log, metrics.ListenerControl), slog.LevelError), EnableOpenMetrics: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.refresh()
		scrape.ServeHTTP(w, r)
	})
}

// Reload implements control.Reloader.
func (o operations) Reload(ctx context.Context) (*api.Reload, error) {
	done, err := o.reloads.Reload(ctx)
	if errors.Is(err, reload.ErrStopping) {
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: err.Error()}
	}
	return done, configError(err, "the configuration is at fault; the daemon keeps the previous one")
}

// configError adds the faults of the configuration to the answer, if the error has any.
func configError(err error, message string) error {
	var faults config.Errors
	if !errors.As(err, &faults) {
		return err
	}
	rejected := &api.Error{Status: http.StatusUnprocessableEntity, Message: message}
	for _, f := range faults {
		rejected.Faults = append(rejected.Faults, f.Error())
	}
	return rejected
}

// newInspector returns the part that shows events to operators.
func (d *Daemon) newInspector() *inspect.Inspector {
	return &inspect.Inspector{
		Journal: d.journal, Decoder: d.decoder, Pipelines: d.pipelines, Config: d.reloads.Config, Specs: d.specs.Load,
		Loaded: func() time.Time { return d.reloads.State().Since }, Started: d.clock.Now(),
	}
}
