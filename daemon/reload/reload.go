// SPDX-License-Identifier: Apache-2.0

// Package reload replaces the configuration of a running daemon. A reload first creates
// everything that the new configuration needs, and then switches to it. If anything fails,
// nothing changes.
package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/internal/progress"
	"github.com/genltestd/genltestd/metrics"
)

// A Source provides the configuration.
type Source interface {
	// Load reads and checks the configuration.
	Load() (*config.Config, error)
	// Fingerprint returns a text that changes when Load would return something else.
	Fingerprint() string
}

// A Notifier reports a reload to the service manager, as systemd.Notifier does.
type Notifier interface {
	Reloading()
	Ready()
	Extend(most time.Duration) (stop func())
}

// Options are the dependencies of a Reloader. Only Source is optional.
type Options struct {
	Source      Source // nil if the configuration cannot be read again
	Fingerprint string // of Source, before Config was read
	Config      *config.Config
	Pipelines   *pipeline.Set
	Notifier    Notifier
	Log         *slog.Logger

	// Check checks a configuration on this machine, and returns all faults.
	Check func(*config.Config) (*pipeline.Checked, config.Errors)
	// Warnings returns the warnings for a configuration.
	Warnings func(*pipeline.Checked) config.Errors
	// Families subscribes to the families that are new.
	Families func(*config.Config) (*reception.Plan, error)
	// Listen binds the pages at their new address. commit makes the daemon use it; it is
	// nil if the address does not change.
	Listen func(*config.Config) (commit func(), err error)
	// Configure applies the settings that no sink has. It cannot fail.
	Configure func(*pipeline.Checked)
	// OnEnd is called after each reload.
	OnEnd func()
}

// A Reloader replaces the configuration, one reload at a time. Its methods may be called at
// any time, but Run only once.
type Reloader struct {
	Options
	requests    chan chan<- answer
	stopping    chan struct{} // closed when no more requests are answered
	busy        progress.Beat // of Run
	journalPath string        // as configured at the start

	mu    sync.Mutex
	cfg   *config.Config // in use
	hash  string         // of cfg
	since time.Time      // when cfg was read
	fault error          // why cfg is not the newest configuration
}

type answer struct {
	done *api.Reload
	err  error
}

// ErrStopping is the error of a Reload after the daemon has begun to stop.
var ErrStopping = errors.New("the daemon is stopping")

// New returns a Reloader, which answers requests while Run runs.
func New(o Options) *Reloader {
	return &Reloader{
		Options: o, requests: make(chan chan<- answer), stopping: make(chan struct{}), journalPath: o.Config.Journal.Path,
		cfg: o.Config, hash: o.Config.Hash(), since: time.Now(),
	}
}

// Config returns the configuration in use, which is immutable.
func (r *Reloader) Config() *config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg
}

// State returns the state of the configuration for the metrics.
func (r *Reloader) State() metrics.ConfigState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return metrics.ConfigState{Hash: r.hash, Current: r.fault == nil, Since: r.since}
}

// Fault returns in one line why the configuration in use is not the newest, or nil.
func (r *Reloader) Fault() error {
	r.mu.Lock()
	err := r.fault
	r.mu.Unlock()
	var faults config.Errors
	if errors.As(err, &faults) && len(faults) > 1 {
		return fmt.Errorf("%w and %d more faults", faults[0], len(faults)-1)
	}
	return err
}

// Reload reads the configuration again and uses it. After an error, which is a
// config.Errors if the configuration is at fault, nothing has changed.
func (r *Reloader) Reload(ctx context.Context) (*api.Reload, error) {
	answers := make(chan answer, 1)
	select {
	case r.requests <- answers:
	case <-r.stopping:
		return nil, ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := <-answers
	return a.done, a.err
}

// firstForget is the wait before the first check for expired removed sinks.
const firstForget = time.Minute

// Run reloads the configuration when Reload is called or its files change, retries the
// sinks that could not be opened, and forgets removed sinks, until the context ends.
func (r *Reloader) Run(ctx context.Context) {
	defer close(r.stopping)
	forget := time.NewTimer(firstForget)
	defer forget.Stop()
	w, tries := watch{source: r.Source, seen: r.Fingerprint}, 0
	for {
		select {
		case answers := <-r.requests:
			r.busy.Mark()
			w.look()
			done, err := r.reload(ctx)
			answers <- answer{done, err}
		case <-w.after(time.Duration(r.Config().Reload.Watch)):
			r.busy.Mark()
			if w.changed() {
				r.Log.Info("the configuration was changed: reloading it")
				_, _ = r.reload(ctx) // which logs the error
			}
		case <-forget.C:
			r.busy.Mark()
			forget.Reset(r.Pipelines.ForgetRemoved())
		case <-r.retry(tries):
			r.busy.Mark()
			r.Pipelines.Retry()
			tries++
		case <-ctx.Done():
			return
		}
		r.busy.Stop()
	}
}

// Busy returns for how long the present reload, or another change of the sinks, has lasted.
func (r *Reloader) Busy() time.Duration { return r.busy.Age() }

// retry fires when the pending sinks must be opened again, and never if all are open.
func (r *Reloader) retry(tries int) <-chan time.Time {
	delay, ok := r.Pipelines.RetryDelay(tries)
	if !ok {
		return nil
	}
	return time.After(delay)
}

// MaxReload is the time that systemd is asked to wait for a reload.
const MaxReload = maxGrace + time.Minute

// reload makes one attempt and reports its result to systemd, the metrics and the log.
func (r *Reloader) reload(ctx context.Context) (*api.Reload, error) {
	r.Notifier.Reloading()
	defer r.Notifier.Extend(MaxReload)()
	defer r.Notifier.Ready() // also after an error: the daemon works as before
	began := time.Now()
	done, err := r.load(ctx)
	r.mu.Lock()
	if r.fault = err; err == nil {
		r.since, r.hash = began, r.cfg.Hash()
	}
	r.mu.Unlock()
	r.logResult(done, err)
	r.OnEnd()
	return done, err
}

// logResult logs the result of a reload.
func (r *Reloader) logResult(done *api.Reload, err error) {
	var faults config.Errors
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			r.Log.Error("configuration: " + f.Error())
		}
		r.Log.Error("reload failed: the configuration is at fault; nothing has changed", "faults", len(faults))
	case err != nil:
		r.Log.Error("reload failed; nothing has changed", "error", err)
	default:
		for _, w := range done.Warnings {
			r.Log.Warn("configuration: " + w)
		}
		r.Log.Info("configuration reloaded", "added", strings.Join(done.Added, ","), "changed", strings.Join(done.Changed, ","),
			"removed", strings.Join(done.Removed, ","), "unchanged", done.Unchanged)
	}
}
