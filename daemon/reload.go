// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/metrics"
)

// A Source is where the configuration comes from.
type Source interface {
	// Load reads and checks it.
	Load() (*config.Config, error)
	// Fingerprint is another text when Load would read something else.
	Fingerprint() string
}

// loaded is what became of the last attempt to load the configuration.
type loaded struct {
	since time.Time // that the configuration in use was read
	hash  string    // of it
	fault error     // why it is not the newest
}

// A request is for one reload.
type request struct{ answer chan<- answer }

type answer struct {
	done *api.Reload
	err  error
}

// ErrStopping is the error of a Reload that comes too late.
var ErrStopping = errors.New("the daemon is stopping")

// Reload reads the configuration anew and goes on with it, while Run runs. With an error,
// a config.Errors when the configuration is at fault, everything stays as it was. It
// may be called at any time; one reload follows the other.
func (d *Daemon) Reload(ctx context.Context) (*api.Reload, error) {
	answers := make(chan answer, 1)
	select {
	case d.requests <- request{answers}:
	case <-d.stopping:
		return nil, ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := <-answers
	return a.done, a.err
}

// lookAfterConfig reloads the configuration when somebody asks for it, or the files were
// changed, forgets the sinks that were removed long ago, and opens those that could not be
// opened before.
func (d *Daemon) lookAfterConfig(ctx context.Context, s *stage) {
	defer close(d.stopping)
	forget := time.NewTimer(removedRetry)
	defer forget.Stop()
	w, tries := watch{source: d.opts.Source, seen: d.opts.Fingerprint}, 0
	for {
		select {
		case r := <-d.requests:
			w.look()
			done, err := d.reload(ctx, s)
			r.answer <- answer{done, err}
		case <-w.after(time.Duration(d.config().Reload.Watch)):
			if w.changed() {
				d.log.Info("the configuration was changed: reloading it")
				_, _ = d.reload(ctx, s) // it is in the log
			}
		case <-forget.C:
			forget.Reset(d.forget())
		case <-d.retryPending(tries):
			d.openPending(s)
			tries++
		case <-ctx.Done():
			return
		}
	}
}

// longestReload is for how long systemd is asked to wait for a reload.
const longestReload = maxGrace + time.Minute

// reload makes one attempt, and tells of it wherever somebody may look.
func (d *Daemon) reload(ctx context.Context, s *stage) (*api.Reload, error) {
	d.notifier.Reloading()
	defer d.notifier.Extend(longestReload)()
	defer d.notifier.Ready() // also with an error: the old configuration is as good as before
	began := time.Now()
	done, err := d.load(ctx, s)
	d.mu.Lock()
	if d.loaded.fault = err; err == nil {
		d.loaded.since, d.loaded.hash = began, d.cfg.Hash()
	}
	d.mu.Unlock()
	d.tellOfReload(done, err)
	d.notifier.Status("%s", d.statusLine())
	return done, err
}

// load makes all that is new, then uses it.
func (d *Daemon) load(ctx context.Context, s *stage) (*api.Reload, error) {
	if d.opts.Source == nil {
		return nil, errors.New("there is no configuration that could be read anew")
	}
	cfg, err := d.opts.Source.Load()
	if err != nil {
		return nil, faultsOf(err)
	}
	p, err := d.plan(cfg)
	if err != nil {
		return nil, err
	}
	return d.carryOut(ctx, p, s), nil
}

// faultsOf makes a fault of a configuration that cannot be read, too.
func faultsOf(err error) config.Errors {
	var faults config.Errors
	if errors.As(err, &faults) {
		return faults
	}
	return config.Errors{{Message: err.Error()}}
}

func (d *Daemon) tellOfReload(done *api.Reload, err error) {
	var faults config.Errors
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			d.log.Error("configuration: " + f.Error())
		}
		d.log.Error("reload failed: the configuration is at fault; everything stays as it was", "faults", len(faults))
	case err != nil:
		d.log.Error("reload failed; everything stays as it was", "error", err)
	default:
		for _, w := range done.Warnings {
			d.log.Warn("configuration: " + w)
		}
		d.log.Info("configuration reloaded", "added", strings.Join(done.Added, ","), "changed", strings.Join(done.Changed, ","),
			"removed", strings.Join(done.Removed, ","), "unchanged", done.Unchanged)
	}
}

// reloadFault says in a line why the configuration in use is not the newest, nil when
// it is.
func (d *Daemon) reloadFault() error {
	d.mu.Lock()
	err := d.loaded.fault
	d.mu.Unlock()
	var faults config.Errors
	if errors.As(err, &faults) && len(faults) > 1 {
		return fmt.Errorf("%w and %d more faults", faults[0], len(faults)-1)
	}
	return err
}

func (d *Daemon) configState() metrics.ConfigState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return metrics.ConfigState{Hash: d.loaded.hash, Current: d.loaded.fault == nil, Since: d.loaded.since}
}
