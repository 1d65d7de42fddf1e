// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"errors"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/reception"
)

// maxGrace bounds the time that a reload waits for the running attempts of sinks that it
// changes.
const maxGrace = 30 * time.Second

// Files reads and checks the configuration, and changes nothing. It may be called at any time.
func (r *Reloader) Files() (*config.Config, error) {
	checked, err := r.read()
	if err != nil {
		return nil, err
	}
	return checked.Config, nil
}

// read reads and checks the configuration.
func (r *Reloader) read() (*pipeline.Checked, error) {
	if r.Source == nil {
		return nil, errors.New("cannot read the configuration again: the daemon was started without a file")
	}
	cfg, err := r.Source.Load()
	if err != nil {
		return nil, faultsOf(err)
	}
	checked, faults := r.Check(cfg)
	if len(faults) > 0 {
		return nil, faults
	}
	return checked, nil
}

// load reads the configuration, creates what it needs, and switches to it.
func (r *Reloader) load(ctx context.Context) (*api.Reload, error) {
	checked, err := r.read()
	if err != nil {
		return nil, err
	}
	cfg := checked.Config
	plan, err := r.Pipelines.Plan(checked)
	if err != nil {
		return nil, err
	}
	families, err := r.Families(cfg)
	if err != nil {
		plan.Discard()
		return nil, err
	}
	listen, err := r.Listen(cfg)
	if err != nil {
		families.Discard()
		plan.Discard()
		return nil, err
	}
	done := &api.Reload{Families: families.Changes(), Warnings: families.Warnings()}
	r.apply(ctx, checked, plan, families, listen)
	r.complete(done, checked, plan.Outcome())
	return done, nil
}

// faultsOf returns the error of a Source as faults of the configuration.
func faultsOf(err error) config.Errors {
	var faults config.Errors
	if errors.As(err, &faults) {
		return faults
	}
	return config.Errors{{Message: err.Error()}}
}

// apply switches to the new configuration. It cannot fail.
func (r *Reloader) apply(
	ctx context.Context, checked *pipeline.Checked, plan *pipeline.Plan, families *reception.Plan, listen func(),
) {
	cfg := checked.Config
	plan.Pin()
	r.Configure(checked)
	grace := min(time.Duration(cfg.Shutdown.Drain), maxGrace)
	plan.Switch(grace)
	r.mu.Lock()
	r.cfg = cfg
	r.mu.Unlock()
	families.Apply() // events of a new family find the new sinks
	if listen != nil {
		listen()
	}
	plan.Finish(ctx, grace)
	r.Pipelines.ForgetRemoved()
}

// complete adds the sinks and the warnings to the answer to the operator.
func (r *Reloader) complete(done *api.Reload, checked *pipeline.Checked, o pipeline.Outcome) {
	done.Added, done.Changed, done.Removed, done.Unchanged = o.Added, o.Changed, o.Removed, o.Unchanged
	for _, err := range o.Pending {
		done.Warnings = append(done.Warnings, err.Error())
	}
	for _, w := range r.Warnings(checked) {
		done.Warnings = append(done.Warnings, w.Error())
	}
	if cfg := checked.Config; cfg.Journal.Path != r.journalPath {
		done.Warnings = append(done.Warnings, cfg.Fault("journal.path", "needs a restart: until then the journal is not moved").Error())
	}
}
